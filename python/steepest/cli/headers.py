"""The first lines of a CSV file: what is wrong with its header that the reader does not say."""

from __future__ import annotations

import csv
from pathlib import Path

from ..extras import require

_LINES = 20
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def complaint(path: Path) -> str | None:
    """Return what is wrong with the header of a CSV file, compressed or not, or None.

    The reader gives a repeated name a number, so that a copy of the target would be a feature. It takes lines that are
    separated by another sign than a comma as one column.
    """
    lines = _first_lines(path)
    for separator, name in _SEPARATORS.items():
        counts = {line.count(separator) for line in lines}
        if "," not in lines[0] and len(counts) == 1 and counts != {0}:
            return f"{path} has its fields separated by {name}: write it with commas"
    names = next(csv.reader(lines[:1]))
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    return None if repeated is None else f"{path} has two columns of the name '{repeated}': rename one"


def _first_lines(path: Path) -> list[str]:
    # A separator that no text has leaves lines whole; the reader opens compressed files and skips blank lines.
    frame = require("pandas", "cli").read_csv(
        path,
        sep="\x01",
        quoting=csv.QUOTE_NONE,
        header=None,
        nrows=_LINES,
        dtype=str,
        keep_default_na=False,
        on_bad_lines="skip",
    )
    return [str(line) for line in frame[0]]
