#!/usr/bin/env python3
"""check_commands.py LBNODE: every lbnode command that the README and the documents show exists.

The words before the first option or argument are looked up with `lbnode help` (and `lbnode NOUN
--help`), so a command that was renamed fails here and not at its reader."""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# A command at the start of a line of a code block (after a prompt or sudo), or in `backticks`.
IN_BLOCK = re.compile(r"^\s*(?:[$#] )?(?:sudo )?(?:\S*lab exec \S+ -- )?lbnode (.+)$")
IN_TEXT = re.compile(r"`(?:sudo )?lbnode ([^`]+)`")


def commands(text):
    in_block = False
    for line in text.split("\n"):
        if line.lstrip().startswith("```"):
            in_block = not in_block
        elif in_block or line.startswith("    "):
            yield from IN_BLOCK.findall(line)
        else:
            yield from IN_TEXT.findall(line)


def words(command):
    """The leading words that can only be nouns and verbs."""
    found = []
    for word in command.split()[:2]:
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        found.append(word)
    return found


def help_text(binary, *arguments):
    result = subprocess.run([binary, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=20)
    return result.stdout


def main():
    binary = sys.argv[1]
    overview = help_text(binary, "help")
    known = set(re.findall(r"[a-z][a-z-]*", overview))
    missing, seen = [], set()
    for path in [os.path.join(ROOT, "README.md")] + sorted(glob.glob(os.path.join(ROOT, "docs", "*.md"))):
        with open(path, encoding="utf-8") as file:
            for command in commands(file.read()):
                found = words(command)
                seen.add(" ".join(found))
                if found and found[0] not in known:
                    missing.append("%s: lbnode %s: `lbnode help` does not know %r"
                                   % (os.path.relpath(path, ROOT), command, found[0]))
    print("\n".join(missing) if missing else "%d commands exist" % len(seen))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
