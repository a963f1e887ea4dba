"""A check of the first lines of a CSV file, for faults of the header that the reader does not report."""

from __future__ import annotations

import csv
from pathlib import Path

from ..extras import require

_LINES = 20
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", ",": "commas"}
_OPTION = {"\t": "'\\t'"}


def complaint(path: Path, separator: str = ",", encoding: str = "utf-8") -> str | None:
    """Return the fault in the header of a CSV file, compressed or not, or None if there is none.

    The reader adds a number to a repeated name, and a copy of the target would become a feature. If the fields have
    another separator, the reader finds only one column.
    """
    lines = _first_lines(path, encoding)
    for other, name in _SEPARATORS.items():
        counts = {line.count(other) for line in lines}
        if separator not in lines[0] and other != separator and len(counts) == 1 and counts != {0}:
            return f"separates its fields by {name}: add --sep {_OPTION.get(other, repr(other))}"
    names = next(csv.reader(lines[:1], delimiter=separator, skipinitialspace=True))
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    return None if repeated is None else f"has two columns named '{repeated}': rename one"


def _first_lines(path: Path, encoding: str) -> list[str]:
    # No text has this separator, so lines stay whole. The reader opens compressed files and skips blank lines.
    frame = require("pandas", "cli").read_csv(
        path,
        sep="\x01",
        quoting=csv.QUOTE_NONE,
        header=None,
        nrows=_LINES,
        dtype=str,
        keep_default_na=False,
        on_bad_lines="skip",
        encoding=encoding,
    )
    return [str(line) for line in frame[0]]
