"""Checks of what a model file says besides the model: how the table was read, the measures, the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

_Check = Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number of JSON."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def is_names(value: Any) -> bool:
    """Return whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_maybe_number(value: Any) -> bool:
    return value is None or is_number(value)


def _is_by_class(value: Any) -> bool:
    return isinstance(value, dict) and len(value) > 1 and all(map(_is_maybe_number, value.values()))


def _is_confusion(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and len(row) == len(value) and all(map(is_number, row)) for row in value
    )


_READING: dict[str, _Check] = {
    "separator": lambda value: value is None or _is_text(value),
    "decimal": _is_text,
    "encoding": _is_text,
    "na": is_names,
}
_DATA: dict[str, _Check] = {"name": _is_text, "sha256": _is_text, "rows": _is_count}
_EITHER: dict[str, _Check] = {"rows": _is_count, "better_than_base": lambda value: isinstance(value, bool)}
_OF_CLASSES: dict[str, _Check] = {
    **_EITHER,
    **dict.fromkeys(("base_rate", "accuracy", "log_loss", "base_log_loss"), is_number),
    "base_class": _is_text,
    "auc": _is_maybe_number,
    **dict.fromkeys(("precision", "recall"), _is_by_class),
    "confusion": _is_confusion,
}
_OF_NUMBERS: dict[str, _Check] = {
    **_EITHER,
    **dict.fromkeys(("rmse", "mae", "base_rmse", "base_value"), is_number),
    "r2": _is_maybe_number,
}


def _is_like(value: Any, checks: dict[str, _Check]) -> bool:
    """Return whether a value is an object of exactly the keys of `checks`, whose values pass them."""
    if not (isinstance(value, dict) and set(value) == set(checks)):
        return False
    return all(check(value[key]) for key, check in checks.items())


def is_reading(value: Any) -> bool:
    """Return whether a value says how a table was read, or nothing."""
    return value == {} or _is_like(value, _READING)


def is_data(value: Any) -> bool:
    """Return whether a value says to which table the model was fitted, or nothing."""
    return value == {} or _is_like(value, _DATA)


def is_metrics(value: Any) -> bool:
    """Return whether a value has the measures of parts of the rows, or none."""
    return isinstance(value, dict) and all(map(_is_measures, value.values()))


def _is_measures(value: Any) -> bool:
    if _is_like(value, _OF_CLASSES):
        names = list(value["precision"])
        return list(value["recall"]) == names and len(value["confusion"]) == len(names)
    return _is_like(value, _OF_NUMBERS)
