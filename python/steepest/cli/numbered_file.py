"""What a model file says of numbered columns: arrays, as there may be millions of them.

Only columns with a coefficient other than 0 are in it, unless there are standard errors. The file is JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..inference.coefficient_errors import StandardErrors
from .assembly import Array
from .numbered import Numbering
from .record_checks import is_number

KEY = "numbered"
FORMAT_OF_NUMBERED = 2  # the format of models that have such columns
_ARRAYS = ("coefficients", "standard_errors", "deviations")


def content_of_numbered(
    numbering: Numbering, coefficients: Array, errors: StandardErrors | None, deviations: Array | None
) -> dict[str, Any]:
    """Return what a model file says of the numbered columns, whose features are the first ones."""
    n = len(numbering.numbers)
    kept = np.arange(n) if errors is not None else np.flatnonzero((coefficients[:, :n] != 0).any(axis=0))
    if not len(kept):
        kept = np.arange(min(n, 1))  # an estimator has one feature or more
    return {
        "first": numbering.first,
        "last": numbering.last,
        "unused": list(numbering.unused),
        "numbers": numbering.numbers[kept].tolist(),
        "coefficients": _listed(coefficients[:, kept]),
        "standard_errors": None if errors is None else _listed(errors.coefficients[:, kept]),
        "deviations": None if deviations is None else deviations[kept].tolist(),
    }


def _listed(values: Array) -> list[Any]:
    """Return an array of shape (scores, columns) as a list for each score, or as one list; None for NaN."""
    rows: list[Any] = values.tolist()
    if np.isnan(values).any():
        rows = [[None if number != number else number for number in row] for row in rows]
    return list(rows[0]) if len(rows) == 1 else rows


def text_of(content: dict[str, Any]) -> str:
    """Return the text of a model file. Each array of the numbered columns is in one line."""
    parts = []
    for key, value in content.items():
        if key == KEY:
            lines = (f"    {json.dumps(name)}: {json.dumps(each, allow_nan=False)}" for name, each in value.items())
            text = "{\n" + ",\n".join(lines) + "\n  }"
        else:
            text = json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n  ")
        parts.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


@dataclass(frozen=True)
class NumberedPart:
    """The numbered columns of a model, and their part of its arrays, of shape (scores, columns) or (columns,)."""

    numbering: Numbering | None
    coefficients: Array
    errors: Array
    deviations: Array


def numbered_of_content(content: dict[str, Any] | None, n_scores: int) -> NumberedPart:
    """Return the numbered columns of which a model file says this; None is no such column."""
    if content is None:
        none = np.zeros((n_scores, 0))
        return NumberedPart(None, none, none, none[0])
    numbers = np.array(content["numbers"], np.int64)
    coefficients, errors, deviations = (
        np.zeros(0) if content[key] is None else np.array(content[key], np.float64) for key in _ARRAYS
    )
    numbering = Numbering(content["first"], content["last"], numbers, tuple(content["unused"]))
    return NumberedPart(numbering, np.atleast_2d(coefficients), np.atleast_2d(errors), deviations)


def contradiction_of_numbered(content: Any, n_scores: int, has_errors: bool, has_deviations: bool) -> str:
    """Return what is wrong with the part of a model file on numbered columns, or "" if nothing is."""
    keys = {"first", "last", "unused", "numbers", *_ARRAYS}
    if not (isinstance(content, dict) and set(content) == keys):
        return f"'{KEY}' must be an object with {', '.join(sorted(keys))}"
    first, last, unused, numbers = (content[key] for key in ("first", "last", "unused", "numbers"))
    if not (_is_count(first) and _is_count(last) and first <= last):
        return f"'{KEY}': 'first' and 'last' must be numbers of columns, the first no larger than the last"
    for name, given in (("unused", unused), ("numbers", numbers)):
        rising = isinstance(given, list) and all(map(_is_count, given)) and (np.diff([first - 1, *given]) > 0).all()
        if not rising or (given and given[-1] > last):
            return f"'{KEY}': '{name}' must be a list of rising numbers from {first} to {last}"
    if not numbers or set(numbers) & set(unused):
        return f"'{KEY}': 'numbers' must have one number or more, and none of 'unused'"
    for name, wanted in (("standard_errors", has_errors), ("deviations", has_deviations)):
        if (content[name] is not None) != wanted:
            return f"'{KEY}': '{name}' must be {'a list' if wanted else 'null'}, as outside of it"
    for name in _ARRAYS:
        rows = content[name] if n_scores > 1 and name != "deviations" else [content[name]]
        lengths = n_scores if name != "deviations" else 1
        if content[name] is None and name != "coefficients":
            continue
        if not (isinstance(rows, list) and len(rows) == lengths and all(_is_row(row, numbers, name) for row in rows)):
            lists = f"{n_scores} lists" if lengths > 1 else "a list"
            return f"'{KEY}': '{name}' must be {lists} of {len(numbers)} numbers"
    return ""


def _is_row(row: Any, numbers: list[int], name: str) -> bool:
    is_cell = (lambda cell: cell is None or is_number(cell)) if name == "standard_errors" else is_number
    return isinstance(row, list) and len(row) == len(numbers) and all(map(is_cell, row))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
