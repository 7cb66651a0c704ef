#!/usr/bin/env python3
"""Fails when a page of docs/ is not in SUMMARY.md, when a link from one page to another leads nowhere, or when
CONTRIBUTING.md names a path that is not there."""

import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DOCS = CHECKOUT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
PATH = re.compile(r"`((?:kernel|runtime|notebooks|bench|docs|assets|scripts|\.config)/[\w./-]+)`")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def links(page):
    """The files that a page links to, as it says them."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]


def main():
    wrong = []
    listed = links(DOCS / "SUMMARY.md")
    listed_twice = {link for link in listed if listed.count(link) > 1}
    wrong += [f"docs/SUMMARY.md lists {link} twice" for link in sorted(listed_twice)]
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"SUMMARY.md"}
    wrong += [f"docs/{page} is not in docs/SUMMARY.md" for page in sorted(pages - set(listed))]
    others = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "notebooks/README.md")]
    for page in sorted(DOCS.rglob("*.md")) + others:
        missing = [link for link in links(page) if not (page.parent / link).exists()]
        wrong += [f"{page.relative_to(CHECKOUT)} links to {link}, which is not there" for link in missing]
    named = PATH.findall((CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    wrong += [f"CONTRIBUTING.md names {path}, which is not there" for path in named if not (CHECKOUT / path).exists()]
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
