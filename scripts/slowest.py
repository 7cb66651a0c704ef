#!/usr/bin/env python3
"""Prints the slowest tests of a JUnit report: slowest.py REPORT [HOW MANY]."""

import sys
from xml.etree import ElementTree


def main(report, count=20):
    try:
        tests = ElementTree.parse(report).iter("testcase")
    except (OSError, ElementTree.ParseError) as error:
        print(f"no test times: {error}", file=sys.stderr)
        return
    slowest = sorted(tests, key=lambda test: -float(test.get("time", 0)))[: int(count)]
    print(f"==> The slowest {len(slowest)} tests")
    for test in slowest:
        print(f"{float(test.get('time', 0)):8.1f} s  {test.get('classname')} {test.get('name')}")


if __name__ == "__main__":
    main(*sys.argv[1:])
