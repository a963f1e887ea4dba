"""Conversion of a table to the arrays of an objective: one-hot encoding, targets, splitting, standardising."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..extras import require
from .numerals import is_number, spelling
from .tables import TableError

MAX_LEVELS = 1000
SUSPECT_LEVELS = 10  # text with more levels than this gets a warning if nearly all of them are numbers
SUSPECT_PART = 0.9  # nearly all: this part of the levels

Array = npt.NDArray[Any]
Label = bool | int | float | str


def check_complete(frame: Any) -> None:
    """Raise TableError naming the first column of a frame that has missing values."""
    counts = frame.isna().sum()
    if counts.any():
        name = counts.index[counts > 0][0]
        rows = f"{counts[name]:,} missing values in {len(frame):,} rows"
        raise TableError(f"column '{name}' has {rows}: fill them in or drop the rows")


def _is_numeric(column: Any) -> bool:
    types = require("pandas", "cli").api.types
    if types.is_datetime64_any_dtype(column.dtype) or column.dtype.kind in "mc":
        raise TableError(f"column '{column.name}' is of type {column.dtype}; expected numbers, booleans or text")
    if types.is_numeric_dtype(column.dtype):
        return True
    kinds = ("integer", "floating", "mixed-integer-float", "boolean")
    return column.dtype == object and types.infer_dtype(column, skipna=False) in kinds


def _check_labels(column: Any) -> None:
    for value in column:
        if not isinstance(value, str | bool | int | float | np.generic):
            raise TableError(
                f"column '{column.name}' holds a {type(value).__name__}; expected numbers, booleans or text"
            )


def _texts(column: Any) -> dict[str, Any]:
    """Return the different values of a column by their text. Two values with one text, such as 1 and "1", raise."""
    _check_labels(column)
    texts: dict[str, Any] = {}
    for value in column.unique():
        if str(value) in texts:
            raise TableError(
                f"column '{column.name}' holds '{value}' both as {type(value).__name__} and as "
                f"{type(texts[str(value)]).__name__}: give the column one type"
            )
        texts[str(value)] = value
    return texts


def _levels(column: Any, as_text: bool) -> list[str]:
    """Return the sorted levels of a column of text. Unless `as_text`, numbers that could not be read are an error."""
    levels = sorted(_texts(column))
    odd = [level for level in levels if not is_number(level)]
    found = None if as_text else spelling(levels)
    if found:
        keep = f"or keep the column as text with --text '{column.name}'"
        raise TableError(
            f"column '{column.name}' has numbers with {found[0]}, such as '{found[1]}': write them like 1234.5, {keep}"
        )
    beside = f"; besides numbers it holds '{odd[0]}'" if odd and len(odd) <= (1 - SUSPECT_PART) * len(levels) else ""
    if len(levels) > MAX_LEVELS:
        raise TableError(f"column '{column.name}' has {len(levels):,} levels; expected at most {MAX_LEVELS:,}{beside}")
    if beside and not as_text and len(levels) > SUSPECT_LEVELS:
        warnings.warn(f"column '{column.name}' is read as text with {len(levels)} levels{beside}", stacklevel=3)
    return levels


@dataclass
class Encoder:
    """The encoding of columns as numbers. Numeric columns stay as they are; the others become one-hot.

    The first level of a category gets no feature: the intercept represents it.

    Attributes
    ----------
    columns : list of str
        The encoded columns of the table, in order.
    categories : dict of str to list of str
        Levels of each column that is not numeric, sorted.
    """

    columns: list[str]
    categories: dict[str, list[str]]

    @classmethod
    def of(cls, frame: Any, text: Collection[str] = ()) -> Encoder:
        """Make the encoder of a frame's columns, with the levels in its rows.

        Columns in `text` are text, even if all their levels look like numbers.

        Raises
        ------
        TableError
            A column holds dates or complex numbers, has more than MAX_LEVELS levels, or holds numbers in a form that
            cannot be read (decimal commas, thousands separators, percent signs). Or no feature is left, because every
            column is text with one level.
        """
        categories = {}
        for name in frame.columns:
            if not _is_numeric(frame[name]):
                categories[name] = _levels(frame[name], name in text)
        encoder = cls(list(frame.columns), categories)
        if len(set(encoder.features)) < len(encoder.features):
            raise TableError("a column has the same name as a level of another, such as 'colour=red': rename it")
        if not encoder.features:
            name, levels = next(iter(categories.items()))
            raise TableError(f"column '{name}' has only one level, '{levels[0]}': no feature is left to fit")
        return encoder

    @property
    def features(self) -> list[str]:
        """Names of the encoded columns, such as "distance" and "carrier=UA"."""
        features = []
        for name in self.columns:
            levels = self.categories.get(name)
            features += [name] if levels is None else [f"{name}={level}" for level in levels[1:]]
        return features

    def encode(self, frame: Any, dtype: npt.DTypeLike = np.float64) -> Array:
        """Return the encoded columns of a frame: a C-ordered matrix of shape (rows, features).

        Raises
        ------
        TableError
            The frame has a missing value, an unknown level, text in a numeric column, or a number that overflows the
            dtype.
        """
        check_complete(frame[self.columns])
        X = np.zeros((len(frame), len(self.features)), dtype)
        position = 0
        for name in self.columns:
            levels = self.categories.get(name)
            if levels is None:
                X[:, position] = _numbers(frame[name], dtype)
                position += 1
            else:
                codes = _codes(frame[name], levels)
                rows = np.flatnonzero(codes)
                X[rows, position + codes[rows] - 1] = 1
                position += len(levels) - 1
        return X


def _numbers(column: Any, dtype: npt.DTypeLike) -> Array:
    if not _is_numeric(column):
        raise TableError(f"column '{column.name}' holds text such as {_first_text(column)}; expected numbers")
    try:
        with np.errstate(over="ignore"):
            values: Array = column.to_numpy(dtype=dtype)
    except OverflowError:  # an integer beyond every type
        values = np.array([np.inf])
    if not np.isfinite(values).all():
        raise TableError(f"column '{column.name}' has values that are not finite in {np.dtype(dtype).name}")
    return values


def _first_text(column: Any) -> str:
    """Return the first value of a column that is no number, in quotes, and the reason if it looks like one."""
    texts = [str(value) for value in column]
    numbers = require("pandas", "cli").to_numeric(column.astype(str), errors="coerce")
    text = texts[int(np.argmax(numbers.isna()))]
    found = spelling([text])
    return f"'{text}'" + (f" (a number with {found[0]})" if found else "")


def _codes(column: Any, levels: list[str]) -> Array:
    pandas = require("pandas", "cli")
    texts = column.astype(str)
    codes: Array = pandas.Index(levels).get_indexer(texts)
    if (codes < 0).any():
        unseen = texts.iloc[int(np.argmax(codes < 0))]
        known = ", ".join(levels[:10]) + (", ..." if len(levels) > 10 else "")
        raise TableError(f"column '{column.name}': level '{unseen}' is not one that the model knows ({known})")
    return codes


def two_classes_of(column: Any) -> list[Label]:
    """Return the two classes of a target column, sorted. The first one becomes 0, the second one 1.

    Raises
    ------
    TableError
        The column has more or fewer than two classes.
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in _texts(column).values()]
    numeric = all(isinstance(value, bool | int | float) for value in values)
    classes: list[Label] = sorted(values if numeric else map(str, values))
    if len(classes) != 2:
        shown = ", ".join(repr(value) for value in classes[:5]) + (", ..." if len(classes) > 5 else "")
        plural = "class" if len(classes) == 1 else "classes"
        raise TableError(f"column '{column.name}' has {len(classes):,} {plural} ({shown}); a logistic target has two")
    return classes


def encode_target(column: Any, classes: list[Label] | None, dtype: npt.DTypeLike) -> Array:
    """Return a target column as numbers: 0 and 1 for two classes, or the values themselves if there are no classes.

    Raises
    ------
    TableError
        A column of numbers holds text, or a value that is not finite.
    """
    if classes is None:
        return np.array(_numbers(column, dtype))
    values = column.astype(str) if isinstance(classes[1], str) else column
    return np.asarray(values == classes[1]).astype(dtype)


def split_rows(n: int, fraction: float, random_state: int | None) -> tuple[Array, Array]:
    """Split rows at random. Return the sorted indices of the training rows and of the held-out rows.

    Parameters
    ----------
    n : int
        Number of rows.
    fraction : float
        Part of the rows to hold out, in [0, 1). A part above 0 is at least one row.
    random_state : int or None
        Seed of the split.

    Raises
    ------
    TableError
        No row would be left to train on.
    """
    held_out = max(1, round(n * fraction)) if fraction > 0 else 0
    if held_out >= n:
        raise TableError(f"{n} rows are too few to hold out {fraction:g} of them")
    order = np.random.default_rng(random_state).permutation(n)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


@dataclass
class ColumnScaling:
    """The standardisation of columns: (values - mean) / scale.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (columns,)
        Means and standard deviations. A constant column has scale 1.
    """

    mean: Array
    scale: Array

    @classmethod
    def of(cls, X: Array) -> ColumnScaling:
        """Compute the statistics of the columns of X. An X of one dimension is one column."""
        columns = X.reshape(len(X), -1)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = columns.mean(axis=0, dtype=np.float64)
            scale = np.sqrt(sum(((block - mean) ** 2).sum(axis=0) for block in _blocks(columns)) / len(columns))
        if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
            raise TableError("the numbers of a column are too large for its mean and deviation: rescale them")
        # Rounding of the mean can give a constant column a deviation just above 0, so the range decides.
        return cls(mean, np.where((np.ptp(columns, axis=0) > 0) & (scale > 0), scale, 1.0))

    @classmethod
    def none(cls, n_columns: int) -> ColumnScaling:
        """Return the scaling that leaves columns as they are."""
        return cls(np.zeros(n_columns), np.ones(n_columns))

    def apply(self, X: Array) -> None:
        """Standardise the columns of X in place."""
        for block in _blocks(X.reshape(len(X), -1)):
            block[...] = (block - self.mean) / self.scale


def _blocks(columns: Array, rows: int = 8192) -> list[Array]:
    return [columns[start : start + rows] for start in range(0, len(columns), rows)]
