"""`FrameEncoder`: how the columns of a data frame become groups of a table, decided once and kept for other rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..warnings import levels_outside
from .categorical import Baseline, Categorical, check_baseline
from .frames import column_names, column_of, factorised, is_category, is_declared, is_frame, numbers_of

__all__ = ["MISSING", "FrameColumn", "FrameEncoder", "Missing", "Unknown"]

MISSING = "(missing)"  # the level of missing values
_FEW_LEVELS = 10
_NUMERAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
Missing = Literal["error", "level"]
Unknown = Literal["error", "baseline", "zeros"]


@dataclass(frozen=True)
class FrameColumn:
    """A column of a frame: its name, and the levels of a category; None for numbers."""

    name: Any
    levels: tuple[Any, ...] | None


@dataclass(frozen=True)
class FrameEncoder:
    """The columns that a frame had, and what they become.

    Attributes
    ----------
    columns : tuple of FrameColumn
        The columns, in the order of the frame.
    baseline, missing : str or None
        As in `Table.from_frame`.
    dtype : dtype
        The dtype of the numbers.
    option : str
        The name that an error gives to the argument `missing`.
    """

    columns: tuple[FrameColumn, ...]
    baseline: Baseline
    missing: Missing
    dtype: np.dtype[Any]
    option: str = "missing"

    @classmethod
    def learn(
        cls,
        frame: Any,
        categorical: Any,
        baseline: Baseline,
        missing: Missing,
        dtype: Any = None,
        option: str = "missing",
    ) -> FrameEncoder:
        """Decide the kinds of the columns of a frame, and the levels of its categories."""
        check_baseline(baseline)
        check_choice("missing", missing, ("error", "level"))
        check_frame(frame)
        names = column_names(frame)
        chosen = chosen_columns(categorical, names)
        columns, kinds = [], set()
        for name in names:
            column = column_of(frame, name)
            if name in chosen if chosen is not None else is_category(column):
                columns.append(FrameColumn(name, _levels(column, name, missing, option)))
                if chosen is None and not is_declared(column):
                    _warn_of_numerals(columns[-1])
            else:
                kinds.add(numbers_of(column[:1], name).dtype)
                columns.append(FrameColumn(name, None))
        single = kinds == {np.dtype(np.float32)}
        found = np.dtype(dtype if dtype is not None else np.float32 if single else np.float64)
        return cls(tuple(columns), baseline, missing, found, option)

    @property
    def categories(self) -> dict[Any, tuple[Any, ...]]:
        """The levels of each category."""
        return {column.name: column.levels for column in self.columns if column.levels is not None}

    @property
    def names(self) -> list[str]:
        """The names of the columns of a table, ``column=level`` for those of a category."""
        first, names = int(self.baseline == "first"), []
        for column in self.columns:
            if column.levels is None:
                names.append(str(column.name))
            else:
                names += [f"{column.name}={level}" for level in column.levels[first:]]
        return names

    def groups(self, frame: Any, unknown: Unknown) -> tuple[list[Any], list[Any]]:
        """Return the groups of a table of the frame's rows, and their names."""
        check_choice("unknown", unknown, ("error", "baseline", "zeros"))
        check_frame(frame)
        present = set(column_names(frame))
        groups: list[Any] = []
        names: list[Any] = []
        numbers: list[NDArray[Any]] = []
        for column in self.columns:
            if column.name not in present:
                raise ValueError(f"X must have the columns of the fit, got none of the name {column.name!r}")
            values = column_of(frame, column.name)
            if column.levels is None:
                if not numbers:
                    names.append([])
                numbers.append(self._numbers(values, column.name))
                names[-1].append(column.name)
                continue
            _flush(numbers, groups)
            if len(column.levels) > (self.baseline is not None):
                groups.append(self._category(column, values, unknown))
                names.append(column.name)
        _flush(numbers, groups)
        if not groups:
            raise ValueError("X must have a column besides categories of one level, got none")
        return groups, names

    def _numbers(self, values: Any, name: Any) -> NDArray[Any]:
        if is_category(values):
            raise TypeError(f"X must hold numbers in column {name!r}, as in the fit, got text or categories")
        found = numbers_of(values, name).astype(self.dtype, copy=False)
        wrong = ~np.isfinite(found)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"X must hold finite numbers, got {found[row]} in row {row} of column {name!r}")
        return found

    def _category(self, column: FrameColumn, values: Any, unknown: Unknown) -> Categorical:
        levels = column.levels or ()
        own, found = factorised(values)
        _check_missing(own, column.name, self.missing, self.option)
        number = {level: place for place, level in enumerate(levels)}
        other = 0 if unknown == "baseline" else -1
        places = np.array([number.get(level, other) for level in [*found, MISSING]], np.int64)
        unseen = np.array([level not in number for level in [*found, MISSING]])
        if unknown == "error" and unseen[own].any():
            row = int(np.argmax(unseen[own]))
            level = [*found, MISSING][own[row]]
            expected = f"X must hold levels of the fit in column {column.name!r} ({_some(levels)})"
            raise ValueError(f"{expected}, got {level!r} in row {row}")
        kind = next(each for each in (np.int8, np.int16, np.int32) if len(levels) <= np.iinfo(each).max + 1)
        return Categorical(places[own].astype(kind), levels, self.baseline)


def _flush(numbers: list[NDArray[Any]], groups: list[Any]) -> None:
    """Make one group of columns of numbers that follow each other."""
    if numbers:
        groups.append(np.array(numbers).T)  # F-ordered
        numbers.clear()


def _levels(column: Any, name: Any, missing: Missing, option: str) -> tuple[Any, ...]:
    try:
        codes, levels = factorised(column)
    except TypeError as error:
        raise TypeError(f"X must hold levels of one kind in column {name!r}: {error}") from None
    _check_missing(codes, name, missing, option)
    if (codes < 0).any():
        if MISSING in levels:
            raise ValueError(f"X must not have the level {MISSING!r} beside missing values, got it in column {name!r}")
        levels = [*levels, MISSING]
    if not levels:
        raise ValueError(f"X must have rows, got none in column {name!r}")
    return tuple(levels)


def _check_missing(codes: NDArray[Any], name: Any, missing: Missing, option: str) -> None:
    if missing == "error" and (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise ValueError(
            f"X must have no missing values, got one in row {row} of column {name!r}; "
            f'{option}="level" makes a level of missing values'
        )


def _warn_of_numerals(column: FrameColumn) -> None:
    """Warn of text that is all numbers: whoever read it may have meant numbers."""
    levels = column.levels or ()
    if len(levels) <= _FEW_LEVELS:
        return
    texts = [level for level in levels if isinstance(level, str) and level != MISSING]
    if texts and all(_NUMERAL.fullmatch(text) for text in texts):
        warnings.warn(
            f"column {column.name!r} of X is text, though its {len(texts)} levels are numbers such as {texts[0]!r}; it "
            "is taken for a category. Convert it to numbers, or name the categories: categorical=[...]",
            UserWarning,
            stacklevel=levels_outside(),
        )


def _some(levels: Sequence[Any]) -> str:
    return ", ".join(map(repr, levels[:5])) + ", ..." * (len(levels) > 5)


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Check that an argument is one of some texts."""
    if not isinstance(value, str) or value not in choices:
        *some, last = map(repr, choices)
        raise ValueError(f"{name} must be {', '.join(some)} or {last}, got {value!r}")


def check_frame(frame: Any) -> None:
    """Check that an argument is a data frame."""
    if not is_frame(frame):
        raise TypeError(f"frame must be a data frame of pandas, polars or Arrow, got {type(frame).__name__}")


def chosen_columns(categorical: Any, names: Sequence[Any]) -> set[Any] | None:
    """Return the columns that are named as categories, or None for "auto"."""
    if isinstance(categorical, str) and categorical == "auto":
        return None
    if isinstance(categorical, str) or not isinstance(categorical, (Sequence, np.ndarray, set, frozenset)):
        raise TypeError(f'categorical must be "auto" or names of columns, got {categorical!r}')
    absent = [name for name in categorical if name not in names]
    if absent:
        raise ValueError(f"categorical must name columns of X ({_some(names)}), got {absent[0]!r}")
    return set(categorical)
