"""What failed in a run of the tests, shortly, for whoever sees only the last lines of a log.

Usage: failures.py LOG. Says of each failed test where it failed and the first lines of why, without what servers logged.
"""

import re
import sys
from pathlib import Path

BEGIN = re.compile(r"^---- (\S+) stdout ----$")
WHY = re.compile(r"^thread .* panicked at ")
COLORS = re.compile(r"\x1b\[[0-9;]*m")
# Of all failures together, and of one.
CHARACTERS, LINES, WIDTH = 2_400, 14, 180


def failures(log: str) -> dict[str, list[str]]:
    """The lines of why, by test."""
    found: dict[str, list[str]] = {}
    why: list[str] | None = None
    for line in COLORS.sub("", log).splitlines():
        if begin := BEGIN.match(line):
            why = found[begin[1]] = []
        elif line == "failures:" or line.startswith("stack backtrace:"):
            why = None
        elif why is not None and (why or WHY.match(line)) and line.strip() and not line.startswith('{"level"'):
            why.append(line)
    return found


def main() -> None:
    found = failures(Path(sys.argv[1]).read_text(errors="replace"))
    for test, why in found.items():
        said = "\n".join(line[:WIDTH] for line in why[:LINES])
        print(f"\n== {test}\n{said[: CHARACTERS // len(found)]}")


main()
