# SPDX-License-Identifier: Apache-2.0
"""Turns pytest's report into the closing line; errors and skipped tests are failures."""

import sys
import xml.etree.ElementTree as tree


def main():
    report, status = sys.argv[1], int(sys.argv[2])
    try:
        cases = list(tree.parse(report).getroot().iter("testcase"))
    except (OSError, tree.ParseError) as error:
        print(f"not ok pytest ended with status {status} and left no report: {error}")
        print("0 passed, 1 failed")
        return 1
    bad = {}
    for case in cases:
        kinds = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
        if kinds:
            bad[case.get("classname"), case.get("name")] = kinds[0]
    for (place, name), kind in sorted(bad.items()):
        print(f"not ok {place}::{name} ({kind})")
    names = {(case.get("classname"), case.get("name")) for case in cases}
    passed, failed = len(names) - len(bad), len(bad)
    if status != 0 and not failed:
        print(f"not ok pytest ended with status {status}")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
