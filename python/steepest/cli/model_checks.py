"""Checks of the content of a model file, which a person may have changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import steepest as st

from .columns import INTERCEPT, Column
from .encoding import POLICIES
from .numbered_file import FORMAT_OF_NUMBERED, KEY, contradiction_of_numbered
from .record_checks import is_data, is_metrics, is_names, is_number, is_reading
from .tables import TableError
from .targets import losses, losses_of_numbers


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the dict of the pairs of a JSON object. A name that comes twice raises ValueError."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has '{next(name for name in names if names.count(name) > 1)}' twice")
    return content


def refuse_constant(name: str) -> Any:
    """Raise ValueError for NaN and Infinity, which are not JSON."""
    raise ValueError(f"{name} is not a JSON number")


def _is_texts(value: Any) -> bool:
    """Return whether a value is a list of one or more different texts."""
    return (
        isinstance(value, list)
        and all(isinstance(text, str) for text in value)
        and len(set(value)) == len(value)
        and len(value) > 0
    )


def _is_score(value: Any) -> bool:
    return is_number(value) or (isinstance(value, list) and len(value) > 0 and all(map(is_number, value)))


def _is_error(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(item is None or is_number(item) for item in items)


def _is_classes(value: Any) -> bool:
    """Return whether a value is None, or different labels that one array can hold unchanged."""
    if value is None:
        return True
    if not (isinstance(value, list) and len(value) >= 2):
        return False
    if not all(isinstance(label, str | bool) or is_number(label) for label in value):
        return False
    if len(set(value)) < len(value):
        return False
    return bool(np.array(value).dtype.kind in "biufU" and np.array(value).tolist() == value)


def _is_column(value: Any) -> bool:
    if not (isinstance(value, dict) and isinstance(value.get("name"), str)):
        return False
    rest = {key: each for key, each in value.items() if key not in ("name", "kind")}
    match value.get("kind"):
        case "number":
            fill = rest.get("fill")
            return set(rest) == {"fill", "flagged"} and (fill is None or is_number(fill)) and _is_flag(rest["flagged"])
        case "category":
            return set(rest) == {"levels", "ordered"} and _is_texts(rest["levels"]) and _is_flag(rest["ordered"])
        case "date":
            return (
                set(rest) == {"format", "origin", "parts"}
                and isinstance(rest["format"], str)
                and isinstance(rest["origin"], str)
                and re.fullmatch(r"\d{4}-\d\d-\d\d", rest["origin"]) is not None
                and isinstance(rest["parts"], list)
                and all(_is_column(part) and part["kind"] != "date" for part in rest["parts"])
                and all(part["name"].rpartition(".")[2] in _PARTS for part in rest["parts"])
            )
    return False


_PARTS = ("year", "month", "weekday", "elapsed", "hour")


def _is_columns(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_column, value))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_estimator(value: Any) -> bool:
    """Return whether a value is an object, whose factors of penalties are numbers or "inf" if it has any."""
    factors = value.get("penalty_weight") if isinstance(value, dict) else 0
    return factors is None or (isinstance(factors, list) and all(is_number(each) or each == "inf" for each in factors))


def _is_base(value: Any) -> bool:
    return value is None or _is_score(value)


def _release(version: str) -> tuple[int, ...] | None:
    """Return the numbers of a version, such as (1, 2) for "1.2.0.dev3", or None if it has none."""
    match = re.match(r"\d{1,9}(\.\d{1,9})*", version)
    if match is None:
        return None
    numbers = [int(number) for number in match.group().split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "format": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "version": lambda value: isinstance(value, str) and _release(value) is not None,
    "loss": lambda value: value in losses(),
    "target": lambda value: value is None or isinstance(value, str),
    "classes": _is_classes,
    "columns": _is_columns,
    "missing": lambda value: value in POLICIES,
    "sparse": _is_flag,
    "reading": is_reading,
    "coefficients": lambda value: isinstance(value, dict) and all(map(_is_score, value.values())),
    "intercept": _is_score,
    "standard_errors": lambda value: value is None or (_is_object(value) and all(map(_is_error, value.values()))),
    "deviations": lambda value: value is None or (_is_object(value) and all(map(is_number, value.values()))),
    "estimator": _is_estimator,
    "settings": lambda value: (
        _is_object(value) and is_names(value.get("numeric", [])) and is_names(value.get("drop", []))
    ),
    "seed": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "base": _is_base,
    "metrics": is_metrics,
    "data": is_data,
}
_OPTIONAL: dict[str, Callable[[Any], bool]] = {"has_offset": _is_flag}


def checked(content: Any, path: Path, newest: int) -> dict[str, Any]:
    """Return the content of a model file of a format up to `newest`, or raise TableError naming the file."""
    if not isinstance(content, dict):
        raise TableError(f"{path} is not a model of steepest: expected an object, got {type(content).__name__}")
    _check_version(content, path, newest)
    for key, check in (_CHECKS | _OPTIONAL).items():
        if key not in content and key in _OPTIONAL:
            continue
        if key not in content:
            raise TableError(f"{path} is not a model of steepest: it has no '{key}'")
        if not check(content[key]):
            raise TableError(f"{path}: '{key}' has a value that no model of steepest has: {_shown(content[key])}")
    contradiction = _contradiction(content)
    if contradiction:
        raise TableError(f"{path}: {contradiction}")
    return content


def _check_version(content: dict[str, Any], path: Path, newest: int) -> None:
    version, found = content.get("version"), content.get("format")
    release = _release(version) if isinstance(version, str) else None
    if isinstance(found, int) and found > newest:
        reads = f"this steepest {st.__version__} reads formats up to {newest}"
        raise TableError(f"{path} has the format {found}, and {reads}: update steepest to read it")
    if release is not None and release > (_release(st.__version__) or ()):
        raise TableError(
            f"{path} was written by steepest {version}, newer than this {st.__version__}: update steepest to read it"
        )
    if "format" not in content and "categories" in content and "coefficients" in content:
        raise TableError(f"{path} was written before model files had a format: fit the model again")


def _shown(value: Any) -> str:
    try:
        return json.dumps(value)[:80]
    except (ValueError, RecursionError):  # an integer of too many digits, or lists within lists
        return f"a {type(value).__name__}"


def _contradiction(content: dict[str, Any]) -> str:
    """Return the first contradiction between parts of a model that are each valid, or "" if there is none."""
    has_numbered = content["format"] >= FORMAT_OF_NUMBERED
    known_keys = _CHECKS.keys() | _OPTIONAL.keys()
    unknown = [key for key in content if key not in known_keys and not (has_numbered and key == KEY)]
    if unknown:
        return f"it has '{unknown[0]}', which no model of steepest {st.__version__} has"
    classes, loss = content["classes"], content["loss"]
    suited = losses_of_numbers() if classes is None else ("logistic" if len(classes) == 2 else "softmax",)
    if loss not in suited:
        return f"'classes' {_shown(classes)} contradicts the loss '{loss}'"
    base, size = content["base"], len(classes) if classes is not None else 1
    if base is not None and (isinstance(base, list) != (classes is not None) or _length(base) != size):
        return f"'base' must have {'a number' if classes is None else f'a list of {size} numbers'}"
    if any(("accuracy" in found) != (classes is not None) for found in content["metrics"].values()):
        return f"'metrics' contradicts the loss '{loss}'"
    if not (content["columns"] or has_numbered):
        return "'columns' has a value that no model of steepest has: []"
    names = [column["name"] for column in content["columns"]]
    if len(set(names)) < len(names):
        return "'columns' has a column twice"
    if content["target"] in names:
        return f"the target '{content['target']}' is one of 'columns' too"
    features = [feature for column in content["columns"] for feature in Column.of_content(column).features]
    if INTERCEPT in features:
        return f"a column is called '{INTERCEPT}', the name of the intercept"
    if len(set(features)) < len(features):
        return "a column has the same name as a level of another"
    k = len(classes) if loss == "softmax" else 1
    for key, wanted in (
        ("coefficients", features),
        ("standard_errors", [*features, INTERCEPT]),
        ("deviations", features),
    ):
        if content[key] is None:
            continue
        missing = [feature for feature in wanted if feature not in content[key]]
        if missing:
            return f"'{key}' has no entry for '{missing[0]}'"
        known = set(wanted)
        superfluous = [name for name in content[key] if name not in known]
        if superfluous:
            return f"'{key}' has '{superfluous[0]}', which is not a feature"
        if key != "deviations" and any(_length(value) != k for value in content[key].values()):
            return f"'{key}' must have {k} number{'s' if k > 1 else ''} for each feature"
    if _length(content["intercept"]) != k:
        return f"'intercept' must have {k} number{'s' if k > 1 else ''}"
    if not has_numbered:
        return ""
    has_errors, has_deviations = content["standard_errors"] is not None, content["deviations"] is not None
    return contradiction_of_numbered(content.get(KEY), k, has_errors, has_deviations)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 1
