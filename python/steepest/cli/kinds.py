"""The decision what kind of column each column of a table is. It is made once, from all values of the column."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..extras import require
from . import dates
from .columns import INTERCEPT, MISSING, Column, numbers_of
from .numerals import is_number, spelling
from .tables import TableError, text_of

MAX_LEVELS = 100_000
MANY_LEVELS = 1000  # a category with more is named; one of which nearly all levels are numbers is refused
SUSPECT_LEVELS = 10  # text with more levels than this gets a warning if nearly all of them are numbers
SUSPECT_PART = 0.9  # nearly all: this part of the levels
FEW_ROWS = 10  # a table with fewer rows cannot show that a column numbers them
_ID_NAME = re.compile(r"(?:.*[_\s.\-])?(?:id|ID|Id)|.*[a-z]I[dD]|(?i:index|row_?(?:num(?:ber)?|names?)|unnamed: \d+)")
_EXPLAINED = 1e-4  # part of the variance of `elapsed` that year and month must leave for the year to say something


@dataclass
class Decision:
    """The columns that a model uses, and what is to be said of the others.

    Attributes
    ----------
    columns : list of Column
    left_out : dict of str to str
        Why each column that is not used was left out.
    notes : list of str
        Other remarks.
    """

    columns: list[Column] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def decide(
    frame: Any, categorical: Collection[str] = (), numeric: Collection[str] = (), leaves_out: bool = True
) -> Decision:
    """Decide the kind of every column of a frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    categorical, numeric : collection of str
        Columns whose kind the user has decided. They are never left out.
    leaves_out : bool
        Whether to leave out columns that say nothing: without values, with one value, running numbers, and text that
        is nearly unique.

    Raises
    ------
    TableError
        A column cannot be used, or no column is left. The message names the column.
    """
    decision = Decision()
    for name in frame.columns:
        column = frame[name]
        reason = None
        if leaves_out and name not in categorical and name not in numeric:
            reason = _idle(column) or _numbering(column)
        if reason is None:
            kind = _kind(column, name in categorical, name in numeric, decision.notes)
            if leaves_out and name not in categorical and kind.kind == "category":
                reason = _unique(column, kind)
            if reason is None:
                decision.columns.append(_with_levels(kind, column, name in categorical))
                continue
        decision.left_out[name] = reason
    features = check_features(decision.columns)
    _check(decision, features)
    many = {each.name: len(each.levels) for each in decision.columns if len(each.levels) > MANY_LEVELS}
    decision.notes += [
        f"column '{name}' has {levels:,} levels, each of them a feature; --drop '{name}' leaves it out"
        for name, levels in many.items()
    ]
    return decision


def check_features(columns: list[Column]) -> list[str]:
    """Return the features of columns, or raise TableError if two have one name, or one has that of the intercept."""
    features = [feature for column in columns for feature in column.features]
    if INTERCEPT in features:
        raise TableError(f"a column is called '{INTERCEPT}', the name of the intercept in a model file: rename it")
    if len(set(features)) < len(features):
        twice = next(feature for feature in features if features.count(feature) > 1)
        raise TableError(
            f"a column has the same name as a level of another, such as 'colour=red', here '{twice}': rename it"
        )
    return features


def _check(decision: Decision, features: list[str]) -> None:
    if not features:
        reasons = [f"column '{name}' {reason}" for name, reason in list(decision.left_out.items())[:5]]
        reasons += [f"column '{column.name}' has only one level, '{column.levels[0]}'" for column in decision.columns]
        raise TableError(f"{'; '.join(reasons)}: no feature is left to fit")


def _idle(column: Any) -> str | None:
    """Return why a column says nothing about any row, or None."""
    if column.isna().all():
        return "has no values"
    if column.isna().any():
        return None
    try:
        several = column.nunique() > 1
    except TypeError:  # lists, of which a later check tells
        several = True
    if several:
        return None
    return f"has only one value, '{column.iloc[0]}'"


def _numbering(column: Any) -> str | None:
    """Return why a column of integers only numbers the rows, or None."""
    if column.dtype.kind not in "iu" or len(column) < FEW_ROWS or column.isna().any():
        return None
    values = column.to_numpy()
    if values[0] in (0, 1) and (np.diff(values) == 1).all():
        return f"numbers the rows from {values[0]}; --numeric '{column.name}' keeps it"
    if has_name_of_identifier(str(column.name)) and len(np.unique(values)) == len(values):
        return f"has another number in every row and the name of an identifier; --numeric '{column.name}' keeps it"
    return None


def has_name_of_identifier(name: str) -> bool:
    """Return whether the name of a column is that of a number of rows, such as "id" or "row_number"."""
    return _ID_NAME.fullmatch(name) is not None


def _unique(column: Any, kind: Column) -> str | None:
    present, levels = int(column.notna().sum()), len(kind.levels)
    if levels <= SUSPECT_LEVELS or levels <= present / 2:
        return None
    found = spelling(kind.levels)
    if found is not None:
        return None  # numbers that cannot be read are an error
    return f"is nearly unique text, {levels:,} values in {present:,} rows; --categorical '{column.name}' keeps it"


def _kind(column: Any, categorical: bool, numeric: bool, notes: list[str]) -> Column:
    """Return the column with its kind. The levels of a category are not checked yet."""
    types, name = require("pandas", "cli").api.types, str(column.name)
    if numeric:
        numbers_of(column)
        return Column(name, "number")
    if categorical:
        return _category(column)
    if types.is_datetime64_any_dtype(column.dtype):
        return _date(column, dates.form_of_times(column))
    if column.dtype.kind in "mc":
        raise TableError(
            f"column '{name}' is of type {column.dtype}; expected numbers, booleans, dates or text; --drop '{name}' "
            "leaves it out"
        )
    if isinstance(column.dtype, require("pandas", "cli").CategoricalDtype) and column.dtype.ordered:
        return _category(column)
    if types.is_bool_dtype(column.dtype):
        return _category(column)
    if types.is_numeric_dtype(column.dtype):
        known = numbers_of(column.dropna())
        if len(known) >= FEW_ROWS and dates.are_dates_of_digits(known):
            notes.append(
                f"column '{name}' holds dates written as numbers like {known[0]:.0f}; --numeric '{name}' keeps them"
            )
            return _date(column, "%Y%m%d")
        return Column(name, "number")
    inferred = types.infer_dtype(column, skipna=True)
    if inferred in ("integer", "floating", "mixed-integer-float", "decimal"):
        numbers_of(column)
        return Column(name, "number")
    if inferred in ("date", "datetime", "datetime64"):
        return _date(column, dates.form_of_times(column))
    texts = list(texts_of(column))
    form = dates.format_of(name, texts)
    return _category(column) if form is None else _date(column, form)


def _category(column: Any) -> Column:
    """Return a category with the levels in the column: in their order if they have one, else sorted."""
    texts = texts_of(column)
    ordered = bool(getattr(column.dtype, "ordered", False))
    if ordered:
        levels = [text_of(value) for value in column.dtype.categories if text_of(value) in texts]
    else:
        levels = sorted(texts)
    return Column(str(column.name), "category", tuple(levels), ordered)


def texts_of(column: Any) -> dict[str, Any]:
    """Return the different values of a column by their text. Two values with one text, such as 1 and "1", raise."""
    texts: dict[str, Any] = {}
    for value in _different(column):
        try:
            text = text_of(value)
        except TableError as error:
            raise TableError(str(error).replace("a cell", f"column '{column.name}'")) from None
        if text in texts and type(texts[text]) is not type(value):
            raise TableError(
                f"column '{column.name}' holds '{value}' both as {type(value).__name__} and as "
                f"{type(texts[text]).__name__}: give the column one type"
            )
        texts[text] = value
    return texts


def _different(column: Any) -> list[Any]:
    """Return the different values of a column, without missing ones. 1 and True are different."""
    column = column.dropna()
    if column.dtype != object:
        return list(column.unique())
    values: dict[tuple[type, Any], Any] = {}
    for value in column:
        if not isinstance(value, str | bool | int | float | np.generic):
            raise TableError(
                f"column '{column.name}' holds a {type(value).__name__}; expected numbers, booleans, dates or text; "
                f"--drop '{column.name}' leaves it out"
            )
        values.setdefault((type(value), value), value)
    return list(values.values())


def _with_levels(kind: Column, column: Any, as_text: bool) -> Column:
    """Return the column with checked levels; missing values have a level of their own, the last one."""
    if kind.kind != "category":
        return kind
    _check_levels(kind.name, list(kind.levels), as_text)
    if not column.isna().any():
        return kind
    if MISSING in kind.levels:
        raise TableError(
            f"column '{kind.name}' has missing values and the text '{MISSING}', which names their level: write another "
            f"text, or add --na '{MISSING}' if it means a missing value"
        )
    return replace(kind, levels=(*kind.levels, MISSING))


def _check_levels(name: str, levels: list[str], as_text: bool) -> None:
    """Raise for too many levels and, unless `as_text`, for numbers that could not be read."""
    odd = [level for level in levels if not is_number(level)]
    found = None if as_text else spelling(levels)
    if found:
        by_option = "add --decimal ',', " if found[0] == "a decimal comma" else ""
        raise TableError(
            f"column '{name}' has numbers with {found[0]}, such as '{found[1]}': write them like 1234.5, {by_option}"
            f"or keep the column as text with --categorical '{name}'"
        )
    beside = f"; besides numbers it holds '{odd[0]}'" if odd and len(odd) <= (1 - SUSPECT_PART) * len(levels) else ""
    most = MANY_LEVELS if beside and not as_text else MAX_LEVELS
    if len(levels) > most:
        ways = f": leave it out with --drop '{name}', or take --numeric '{name}' if they are numbers"
        if beside:
            ways = f": add --na '{odd[0]}' if it means a missing value, or --drop '{name}'"
        raise TableError(f"column '{name}' has {len(levels):,} levels; expected at most {most:,}{beside}{ways}")
    if beside and not as_text and len(levels) > SUSPECT_LEVELS:
        warnings.warn(
            f"column '{name}' is read as text with {len(levels)} levels{beside}; --na '{odd[0]}' makes it a missing "
            "value",
            stacklevel=2,
        )


def _date(column: Any, form: str) -> Column:
    times = dates.times_of(column, form)
    known = times[~np.isnat(times)]
    origin = known.min().astype("datetime64[D]")
    values, name = dates.parts_of(times, origin), str(column.name)
    parts = []
    for part in ("year", "month", "weekday", "elapsed", "hour"):
        column_of_part = values[part].rename(f"{name}.{part}")
        if column_of_part.nunique() < 2:
            continue
        if part in ("month", "weekday"):
            present = set(column_of_part.dropna())
            order = dates.MONTHS if part == "month" else dates.WEEKDAYS
            levels = [each for each in order if each in present]
            missing = (MISSING,) if column_of_part.isna().any() else ()
            parts.append(Column(f"{name}.{part}", "category", (*levels, *missing), ordered=True))
        elif part != "year" or _year_says_more(values):
            parts.append(Column(f"{name}.{part}", "number"))
    return Column(name, "date", format=form, origin=str(origin), parts=tuple(parts))


def _year_says_more(values: dict[str, Any]) -> bool:
    """Return whether elapsed days differ from what year and month say. Else the year repeats them."""
    some = values["elapsed"].notna().to_numpy().nonzero()[0][:5000]
    elapsed = values["elapsed"].to_numpy()[some]
    month = np.array([dates.MONTHS.index(each) for each in values["month"].iloc[some]])
    months = np.eye(12)[month]
    A = np.column_stack([values["year"].to_numpy()[some], months])
    A[:, 0] -= A[:, 0].mean()
    rest = elapsed - A @ np.linalg.lstsq(A, elapsed, rcond=None)[0]
    return float(np.var(rest)) > _EXPLAINED * float(np.var(elapsed))
