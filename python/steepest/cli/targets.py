"""The target column: which loss suits it, and its classes or numbers."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..extras import require
from . import dates
from .columns import Array, numbers_of
from .kinds import texts_of
from .numerals import is_number, spelling
from .tables import OptionError, TableError, row_of, text_of

Label = bool | int | float | str
CLASS_LOSSES = ("logistic", "softmax")
COUNTS = "poisson"  # the loss for counts
MOST_CLASSES = 100  # text with more values than this is no target
ROWS_OF_CLASS = 5  # numbers with fewer rows for each different one are not taken for classes
FEW_VALUES = 10  # a target of whole numbers without a gap that takes up to so many values is taken for classes


def losses() -> tuple[str, ...]:
    """Return the names of all losses."""
    return (*CLASS_LOSSES, *losses_of_numbers())


def losses_of_numbers() -> tuple[str, ...]:
    """Return the names of the losses that `LinearRegressor` offers."""
    regressor = require("steepest.estimators.regressor", "cli")
    return tuple(name.replace("_", "-") for name in regressor.OFFERED)


def is_of_residuals(loss: str) -> bool:
    """Return whether the target and the predictions of a loss may be shifted together."""
    offered = require("steepest.estimators.regressor", "cli").OFFERED
    return loss not in CLASS_LOSSES and bool(offered[loss.replace("-", "_")].is_of_residuals)


def regressor_parameters() -> tuple[str, ...]:
    """Return the names of the parameters of `LinearRegressor`."""
    return tuple(inspect.signature(require("steepest.estimators", "cli").LinearRegressor).parameters)


def regressor_options(loss: str, delta: float | None) -> dict[str, Any]:
    """Return the arguments by which `LinearRegressor` takes a loss.

    Raises
    ------
    OptionError
        A delta is given, and the loss has none.
    """
    parameters = regressor_parameters()
    options: dict[str, Any] = {"loss": loss.replace("-", "_")} if "loss" in parameters else {}
    if delta is not None:
        if "delta" not in parameters or loss != "huber":
            raise OptionError(f"--delta: the loss {loss} has none")
        options["delta"] = delta
    return options


@dataclass(frozen=True)
class Target:
    """What a model predicts.

    Attributes
    ----------
    name : str
        The column.
    loss : str
    classes : tuple of labels, or None
        The sorted classes. None for numbers.
    why : str
        A sentence that says why the loss was chosen.
    """

    name: str
    loss: str
    classes: tuple[Label, ...] | None
    why: str

    @classmethod
    def of(cls, column: Any, loss: str | None, rows: int | None = None) -> Target:
        """Return the target of a column without missing values. The column decides the loss if none is named.

        ``rows`` is the number of rows, if the column has only the different values of them.

        Raises
        ------
        TableError
            The column suits no loss, or not the one that is named.
        """
        name = str(column.name)
        if loss is not None:
            if loss not in losses():
                raise OptionError(f"--loss must be one of {', '.join(losses())}, got '{loss}'")
            classes = _classes(column, loss) if loss in CLASS_LOSSES else None
            if classes is None:
                _check_counts(numbers_of(column), column, loss)
            exact = _exact(loss, classes)
            return cls(name, exact, classes, f"target '{name}': the loss is {exact}, as asked for")
        classes, reason = _inferred(column, len(column) if rows is None else rows)
        chosen = "least-squares" if classes is None else _exact("softmax", classes)
        return cls(name, chosen, classes, f"target '{name}' {reason}: the loss is {chosen}; --loss takes another")

    def encode(self, column: Any) -> Array:
        """Return a column of the target as places of the classes, or as numbers.

        Raises
        ------
        TableError
            A label is no class, or a number is none. The message names the row.
        """
        if self.classes is None:
            return _check_counts(numbers_of(column), column, self.loss)
        labels = labels_of(column)
        places = {label: place for place, label in enumerate(self.classes)}
        texts = {str(label): place for place, label in enumerate(self.classes)}
        found = [places.get(label, texts.get(str(label), -1)) for label in labels]
        if -1 in found:
            place = found.index(-1)
            known = ", ".join(repr(label) for label in self.classes[:10])
            raise TableError(
                f"column '{self.name}', row {row_of(column, place)}: {labels[place]!r} is not a class that the model "
                f"knows ({known})"
            )
        return np.array(found, dtype=np.int64)


def _check_counts(values: Array, column: Any, loss: str) -> Array:
    """Return the numbers of a target. For counts, raise TableError naming the row of a negative one."""
    if loss == COUNTS and (values < 0).any():
        place = int(np.argmax(values < 0))
        got = f"got {values[place]:g}"
        raise TableError(
            f"column '{column.name}', row {row_of(column, place)}: a target of the loss {loss} is at least 0, {got}"
        )
    return values


def labels_of(column: Any) -> list[Label]:
    """Return the labels of a column as they are to be predicted: whole numbers are integers, all else text or bool."""
    labels = [value.item() if isinstance(value, np.generic) else value for value in column]
    numeric = all(isinstance(label, bool | int | float) for label in labels)
    if not numeric:
        return [text_of(label) for label in labels]
    return [int(label) if isinstance(label, float) and label.is_integer() else label for label in labels]


def _classes(column: Any, loss: str) -> tuple[Label, ...]:
    texts_of(column)
    labels: Any = set(labels_of(column))
    classes: tuple[Label, ...] = tuple(sorted(labels))
    shown = ", ".join(repr(value) for value in classes[:5]) + (", ..." if len(classes) > 5 else "")
    plural = "class" if len(classes) == 1 else "classes"
    has = f"column '{column.name}' has {len(classes):,} {plural} ({shown})"
    if loss == "logistic" and len(classes) != 2:
        other = "; take --loss softmax for more" if len(classes) > 2 else ""
        raise TableError(f"{has}; a logistic target has two{other}")
    if len(classes) < 2:
        raise TableError(f"{has}; a target has at least two")
    if len(classes) > max(MOST_CLASSES, 2):
        raise TableError(f"{has}; expected at most {MOST_CLASSES}")
    return classes


def _exact(loss: str, classes: tuple[Label, ...] | None) -> str:
    return "logistic" if loss == "softmax" and classes is not None and len(classes) == 2 else loss


def _inferred(column: Any, rows: int) -> tuple[tuple[Label, ...] | None, str]:
    """Return the classes of a column, or None for numbers, and what it holds."""
    types, name = require("pandas", "cli").api.types, column.name
    category = isinstance(column.dtype, require("pandas", "cli").CategoricalDtype)
    if types.is_datetime64_any_dtype(column.dtype) or types.infer_dtype(column) in ("date", "datetime"):
        raise TableError(f"column '{name}' holds dates; a target is numbers or classes")
    if not (types.is_bool_dtype(column.dtype) or category):
        inferred = types.infer_dtype(column, skipna=True)
        if types.is_numeric_dtype(column.dtype) or inferred in (
            "integer",
            "floating",
            "mixed-integer-float",
            "decimal",
        ):
            return _of_numbers(numbers_of(column), column, rows)
    texts = list(texts_of(column))
    if dates.format_of(str(name), texts) is not None:
        raise TableError(f"column '{name}' holds dates; a target is numbers or classes")
    found = spelling(texts) if not category else None
    if found is not None and len(texts) > 2:
        option = " or add --decimal ','," if found[0] == "a decimal comma" else ""
        raise TableError(
            f"column '{name}' has numbers with {found[0]}, such as '{found[1]}': write them like 1234.5,{option} or "
            "add --loss softmax to take them for classes"
        )
    if len(texts) > MOST_CLASSES or (len(texts) > FEW_VALUES and len(texts) > rows / 2):
        if sum(map(is_number, texts)) > len(texts) / 2:
            numbers_of(column.astype(object))  # names the text that is no number
        raise TableError(
            f"column '{name}' holds text such as '{texts[0]}', {len(texts):,} different ones in {rows:,} rows; "
            f"expected numbers, or classes: at most {MOST_CLASSES}, and no more than half the rows beyond {FEW_VALUES}"
        )
    classes = _classes(column, "softmax")
    return classes, _has(classes)


def _has(classes: tuple[Label, ...]) -> str:
    shown = ", ".join(map(str, classes[:10])) + (", ..." if len(classes) > 10 else "")
    return f"has {len(classes)} classes ({shown})"


def _of_numbers(values: Array, column: Any, rows: int) -> tuple[tuple[Label, ...] | None, str]:
    different = np.unique(values)
    if len(different) < 2:
        raise TableError(f"column '{column.name}' has only the value {different[0]:g}: there is nothing to predict")
    whole = bool((different == np.floor(different)).all())
    if len(different) == 2 and (whole or rows >= ROWS_OF_CLASS * 2):
        classes = _classes(column, "softmax")
        return classes, _has(classes)
    gapless = whole and different[-1] - different[0] + 1 == len(different)
    if gapless and len(different) <= FEW_VALUES and rows >= ROWS_OF_CLASS * len(different):
        classes = _classes(column, "softmax")
        return classes, f"has {len(classes)} whole numbers without a gap, taken for classes"
    return None, "is a number"
