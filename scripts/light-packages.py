#!/usr/bin/env python3
"""Prints cargo's arguments for the workspace's packages that build without Polars: light-packages.py DIRECTORY…
leaves only those below one of the directories."""

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def main(directories):
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    metadata = json.loads(subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["name"]: package for package in metadata["packages"]}

    def needs_polars(name):
        below = [dependency["name"] for dependency in packages[name]["dependencies"]]
        return any(
            needs_polars(other) if other in packages else other == "polars" or other.startswith("polars-")
            for other in below
        )

    wanted = [(CHECKOUT / directory).resolve() for directory in directories] or [CHECKOUT]
    for name, package in sorted(packages.items()):
        home = Path(package["manifest_path"]).parent
        if any(home.is_relative_to(directory) for directory in wanted) and not needs_polars(name):
            print("-p", name, end=" ")


if __name__ == "__main__":
    main(sys.argv[1:])
