#!/usr/bin/env python3
"""Functions of at most 80 lines, main of at most 40, files of at most 600.

A function reaches from its opening brace in column one to its closing brace in column one, which
is where the formatter puts them; tables (initialisers) are exempt. Prints each breach; exit 1."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from check_layers import ROOT, sources  # noqa: E402

FUNCTION_LINES, MAIN_LINES, FILE_LINES = 80, 40, 600


def functions(lines):
    """(name, first line, number of lines) of each function."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield name_above(lines, start), start, number - start + 1
            start = None


def name_above(lines, start):
    head = ""
    for line in reversed(lines[max(0, start - 12):start - 1]):
        head = line + " " + head
        if line and not line[0].isspace() and "(" in line:
            break
    found = re.search(r"(\w+)\s*\(", head)
    return found.group(1) if found else "?"


def breaches(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        lines = file.read().split("\n")
    if len(lines) > FILE_LINES + 1:
        yield "%s: %d lines; at most %d" % (path, len(lines) - 1, FILE_LINES)
    for name, line, length in functions(lines):
        limit = MAIN_LINES if name == "main" else FUNCTION_LINES
        if length > limit:
            yield "%s:%d: %s has %d lines; at most %d" % (path, line, name, length, limit)


def main():
    found = [breach for path in sources() for breach in breaches(path)]
    print("\n".join(found) if found else "all within their limits")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
