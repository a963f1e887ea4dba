"""The saved model: a JSON file that a person can read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from .data import Table, TableError
from .features import Array, Encoder, Label
from .saving import saving

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
        What 0 and 1 stand for in a logistic model.
    columns : list of str
        Columns of the table that the model reads.
    categories : dict of str to list of str
        Levels of each one-hot column; the first level is the baseline.
    coefficients : dict of str to float
        By feature, such as "distance" or "carrier=UA".
    intercept : float
    sparse : bool
        Whether the table was a svmlight file, whose absent columns are zeros.
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
        """
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
            It is not a model.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TableError(f"{path} is not a model of steepest: {error}") from error
        return cls(**_checked(content, path))

    def decision(self, table: Table) -> Array:
        """Return the score x . w + b of every row: float64, shape (rows,).

        Raises
        ------
        TableError
            A column is missing or holds what the model cannot take.
        """
        encoder = Encoder(self.columns, self.categories)
        coefficients = np.array([self.coefficients[feature] for feature in encoder.features])
        return cast(Array, encoder.encode(table.select(self.columns, self.sparse)) @ coefficients + self.intercept)

    def predict(self, table: Table) -> dict[str, Array]:
        """Return the predicted columns by name, each of shape (rows,).

        Least squares: "prediction". Logistic: "probability" of the second class and the likelier "class".

        Raises
        ------
        TableError
            As `decision`.
        """
        z = self.decision(table)
        if self.classes is None:
            return {"prediction": z}
        return {"probability": np.exp(-np.logaddexp(0, -z)), "class": np.array(self.classes)[(z > 0).astype(int)]}


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "loss": lambda value: value in ("least-squares", "logistic"),
    "target": lambda value: isinstance(value, str),
    "classes": lambda value: value is None or (isinstance(value, list) and len(value) == 2),
    "columns": _is_texts,
    "categories": lambda value: isinstance(value, dict) and all(map(_is_texts, value.values())),
    "coefficients": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "intercept": _is_number,
    "sparse": lambda value: isinstance(value, bool),
    "version": lambda value: isinstance(value, str),
}


def _checked(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise TableError(f"{path} is not a model of steepest: expected an object, got {type(content).__name__}")
    for key, check in _CHECKS.items():
        if key not in content:
            raise TableError(f"{path} is not a model of steepest: it has no '{key}'")
        if not check(content[key]):
            raise TableError(f"{path}: '{key}' is not what a model of steepest holds: {json.dumps(content[key])[:80]}")
    features = Encoder(content["columns"], content["categories"]).features
    missing = [feature for feature in features if feature not in content["coefficients"]]
    if missing:
        raise TableError(f"{path}: 'coefficients' has none for '{missing[0]}'")
    return {key: content[key] for key in _CHECKS}
