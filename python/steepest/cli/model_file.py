"""`Model`, and the JSON file that stores it, which a person can read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

import steepest as st

from .encoding import Array, Encoder, Label
from .saving import saving
from .tables import Table, TableError, reading

LossName = Literal["least-squares", "logistic"]


@dataclass
class Model:
    """A fitted linear or logistic model in the units of its table.

    Attributes
    ----------
    loss : {"least-squares", "logistic"}
    target : str
        Name of the target column.
    classes : list of two labels, or None
        The labels of classes 0 and 1 of a logistic model. None for least squares.
    columns : list of str
        Columns of the table that the model reads.
    categories : dict of str to list of str
        Levels of each one-hot column. The first level is the baseline.
    coefficients : dict of str to float
        The coefficient of each feature, such as "distance" or "carrier=UA".
    intercept : float
    sparse : bool
        Whether the table was a svmlight file. Its absent columns are zeros.
    version : str
        The version of steepest that wrote it.
    """

    loss: LossName
    target: str
    classes: list[Label] | None
    columns: list[str]
    categories: dict[str, list[str]]
    coefficients: dict[str, float]
    intercept: float
    sparse: bool
    version: str

    def save(self, path: str | Path) -> None:
        """Write the model as JSON.

        Raises
        ------
        OSError
            The file cannot be written.
        TableError
            A number of the model is not finite.
        """
        for name, value in {**self.coefficients, "the intercept": self.intercept}.items():
            if not _is_number(value):
                raise TableError(f"the model cannot be saved: the coefficient of '{name}' is {value}")
        text = json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
        with saving(path) as file:
            file.write(text.encode())

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a model that `save` wrote.

        Raises
        ------
        OSError
            The file cannot be read.
        TableError
            The file is not a model, a newer version wrote it, or its parts contradict each other.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file")
        with reading(path, "is not a model of steepest"):
            content = json.loads(
                path.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_refuse_constant
            )
            json.dumps(content, ensure_ascii=False).encode()  # half of a character, such as \ud800, is no text
        return cls(**_checked(content, path))

    def decision(self, table: Table) -> Array:
        """Return the score x . w + b of every row: float64, shape (rows,).

        Raises
        ------
        TableError
            A column is missing or holds unsuitable values, or a score is not finite.
        """
        encoder = Encoder(self.columns, self.categories)
        coefficients = np.array([self.coefficients[feature] for feature in encoder.features], np.float64)
        X = encoder.encode(table.select(self.columns, self.sparse))
        with np.errstate(over="ignore", invalid="ignore"):
            z = cast(Array, X @ coefficients + self.intercept)
        if not np.isfinite(z).all():
            row = int(np.argmin(np.isfinite(z)))
            raise TableError(f"the prediction of row {row} overflows: its numbers are too large")
        return z

    def predict(self, table: Table) -> dict[str, Array]:
        """Return the predicted columns by name, each of shape (rows,).

        Least squares has the column "prediction". Logistic has "probability", which is that of the second class, and
        "class", which is the more probable class.

        Raises
        ------
        TableError
            As for `decision`.
        """
        z = self.decision(table)
        if self.classes is None:
            return {"prediction": z}
        return {"probability": np.exp(-np.logaddexp(0, -z)), "class": np.array(self.classes)[(z > 0).astype(int)]}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has '{next(name for name in names if names.count(name) > 1)}' twice")
    return content


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _is_texts(value: Any) -> bool:
    """Return whether a value is a list of one or more different texts."""
    return (
        isinstance(value, list)
        and all(isinstance(text, str) for text in value)
        and len(set(value)) == len(value)
        and len(value) > 0
    )


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def _is_classes(value: Any) -> bool:
    """Return whether a value is None, or two different labels that one array can hold unchanged."""
    if value is None:
        return True
    if not (isinstance(value, list) and len(value) == 2 and value[0] != value[1]):
        return False
    if not all(isinstance(label, str | bool) or _is_number(label) for label in value):
        return False
    return bool(np.array(value).dtype.kind in "biufU" and np.array(value).tolist() == value)


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
    "loss": lambda value: value in ("least-squares", "logistic"),
    "target": lambda value: isinstance(value, str),
    "classes": _is_classes,
    "columns": _is_texts,
    "categories": lambda value: isinstance(value, dict) and all(map(_is_texts, value.values())),
    "coefficients": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "intercept": _is_number,
    "sparse": lambda value: isinstance(value, bool),
    "version": lambda value: isinstance(value, str) and _release(value) is not None,
}


def _checked(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise TableError(f"{path} is not a model of steepest: expected an object, got {type(content).__name__}")
    _check_version(content.get("version"), path)
    for key, check in _CHECKS.items():
        if key not in content:
            raise TableError(f"{path} is not a model of steepest: it has no '{key}'")
        if not check(content[key]):
            raise TableError(f"{path}: '{key}' has a value that no model of steepest has: {_shown(content[key])}")
    contradiction = _contradiction(content)
    if contradiction:
        raise TableError(f"{path}: {contradiction}")
    return {key: content[key] for key in _CHECKS}


def _check_version(version: Any, path: Path) -> None:
    release = _release(version) if isinstance(version, str) else None
    if release is not None and release > (_release(st.__version__) or ()):
        raise TableError(
            f"{path} was written by steepest {version}, newer than this {st.__version__}: update steepest to read it"
        )


def _shown(value: Any) -> str:
    try:
        return json.dumps(value)[:80]
    except (ValueError, RecursionError):  # an integer of too many digits, or lists within lists
        return f"a {type(value).__name__}"


def _contradiction(content: dict[str, Any]) -> str:
    """Return the first contradiction between parts of a model that are each valid, or "" if there is none."""
    columns, categories = content["columns"], content["categories"]
    unknown = [key for key in content if key not in _CHECKS]
    if unknown:
        return f"it has '{unknown[0]}', which no model of steepest {st.__version__} has"
    if (content["classes"] is None) != (content["loss"] == "least-squares"):
        return f"'classes' {_shown(content['classes'])} contradicts the loss '{content['loss']}'"
    if content["target"] in columns:
        return f"the target '{content['target']}' is one of 'columns' too"
    if not set(categories) <= set(columns):
        return f"'categories' has '{min(set(categories) - set(columns))}', which is not one of 'columns'"
    features = Encoder(columns, categories).features
    if len(set(features)) < len(features):
        return "a column has the same name as a level of another"
    missing = [feature for feature in features if feature not in content["coefficients"]]
    if missing:
        return f"'coefficients' has no entry for '{missing[0]}'"
    superfluous = [name for name in content["coefficients"] if name not in set(features)]
    return f"'coefficients' has '{superfluous[0]}', which is not a feature" if superfluous else ""
