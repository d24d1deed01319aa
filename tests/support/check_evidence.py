#!/usr/bin/env python3
"""check_evidence.py: every claim of docs/security.md names a test that exists.

A claim is a row of a table under the headings "... can ..." and names `FILE::TEST` once at least; a FILE
alone is enough where it is a whole program (a fuzz target, a benchmark)."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCUMENT = os.path.join("docs", "security.md")
REFERENCE = re.compile(r"`(tests/[\w./-]+?)(?:::(\w+))?`")
DEFINITION = {".py": r"def %s\(", ".c": r"^(?:static )?\w[\w *]*\b%s\("}


def problem(path, name):
    """Why a reference is wrong, or None."""
    full = os.path.join(ROOT, path)
    if not os.path.isfile(full):
        return "there is no " + path
    if not name:
        return None
    pattern = DEFINITION.get(os.path.splitext(path)[1])
    with open(full, encoding="utf-8") as file:
        if not pattern or not re.search(pattern % name, file.read(), re.MULTILINE):
            return "%s has no test %s" % (path, name)
    return None


def claims(text):
    """(line number, row) of the tables, without their heads."""
    rows = text.split("\n")
    for number, row in enumerate(rows):
        is_head = number + 1 < len(rows) and rows[number + 1].startswith("|--")
        if row.startswith("|") and not row.startswith("|--") and not is_head:
            yield number + 1, row


def main():
    with open(os.path.join(ROOT, DOCUMENT), encoding="utf-8") as file:
        text = file.read()
    wrong, count = [], 0
    for number, row in claims(text):
        count += 1
        if not REFERENCE.search(row):
            wrong.append("line %d: no test is named" % number)
    for path, name in REFERENCE.findall(text):
        wrong += [why] if (why := problem(path, name)) else []
    if count == 0:
        wrong.append("no claims were found")
    for why in wrong:
        print("%s: %s" % (DOCUMENT, why))
    if not wrong:
        print("%d claims have tests" % count)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
