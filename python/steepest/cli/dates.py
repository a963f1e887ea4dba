"""Recognition of dates in text, and the parts of a date that a model can use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from .tables import TableError, row_of, texts_in

ISO = "ISO8601"
ISO_WITH_OFFSET = "ISO8601 with an offset from UTC"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SECONDS_OF_DAY = 86_400.0

_TIME = r"(?:[T ]\s*\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}{_TIME}", re.ASCII)
_DIGITS = re.compile(r"\d{8}", re.ASCII)
_OFFSET = re.compile(r"(:.*?)\s*(?:Z|UTC|[+-]\d{2}:?\d{2})$", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([./-])(\d{{1,2}})\2(\d{{4}}|\d{{2}})({_TIME})", re.ASCII)
_NAMED = re.compile(
    rf"(?:\d{{1,2}}[ .-]+[A-Za-z]{{3,9}}\.?,?[ -]+\d{{4}}|[A-Za-z]{{3,9}}\.? \d{{1,2}},? \d{{4}}){_TIME}", re.ASCII
)
_SLASHED = re.compile(rf"\d{{4}}/\d{{1,2}}/\d{{1,2}}{_TIME}", re.ASCII)
_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_NAMED_FORMATS = tuple(
    form
    for month in ("%b", "%B")
    for form in (f"%d-{month}-%Y", f"%d {month} %Y", f"{month} %d, %Y", f"{month} %d %Y", f"{month} %Y", f"{month}-%Y")
)
_WORDS = re.compile(
    r"(?=.*\d)(?=.*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))"
    r"(?:(?:january|february|march|april|may|june|july|august|september|october|november|december)\b"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b"
    r"|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b|\d{1,4}(?:st|nd|rd|th)?|of|[ ,.:/'-])+",
    re.ASCII | re.IGNORECASE,
)
_ENOUGH = 0.5  # a column is meant as dates if this part of its texts look like dates


def looks_like_date(text: str) -> bool:
    """Return whether a person would read a text as a date."""
    return any(form.fullmatch(text) for form in (_YEAR_FIRST, _YEAR_LAST, _SLASHED, _NAMED, _MONTH, _WORDS))


def format_of(name: str, texts: Sequence[str]) -> str | None:
    """Return the format of the dates in the different texts of a column, or None if they are no dates.

    Raises
    ------
    TableError
        Most texts are dates, but one is not, or day and month cannot be told apart.
    """
    texts = [text.strip() for text in texts]
    dates = [looks_like_date(text) for text in texts]
    if not texts or sum(dates) <= _ENOUGH * len(texts):
        return None
    if not all(dates):
        odd = texts[dates.index(False)]
        raise TableError(
            f"column '{name}' has dates, and '{odd}', which is none: correct it, or add --na '{odd}' if it means a "
            f"missing value, or --drop '{name}'"
        )
    for form in _candidates(name, texts):
        if not np.isnat(_parsed(texts, form)).any():
            return form
    raise TableError(
        f"column '{name}' has dates of which some cannot be read, such as '{texts[0]}': write them like 2013-02-28, or "
        f"add --drop '{name}', or --categorical '{name}' if they are no dates"
    )


def _candidates(name: str, texts: Sequence[str]) -> Sequence[str]:
    if all(map(_MONTH.fullmatch, texts)):
        return ("%Y-%m",)
    if all(map(_YEAR_FIRST.fullmatch, texts)):
        offsets = [_OFFSET.search(text) is not None for text in texts]
        if any(offsets) and not all(offsets):
            raise TableError(
                f"column '{name}' has times with an offset from UTC, such as '{texts[offsets.index(True)]}', and "
                f"without one, such as '{texts[offsets.index(False)]}': write all alike"
            )
        return (ISO_WITH_OFFSET,) if any(offsets) else (ISO,)
    if all(map(_SLASHED.fullmatch, texts)):
        return _with_times("%Y/%m/%d", texts[0].partition(" ")[2])
    matches = [match for match in map(_YEAR_LAST.fullmatch, texts) if match]
    if len(matches) < len(texts):
        return _NAMED_FORMATS
    first, second = (max(int(match[i]) for match in matches) for i in (1, 3))
    separator, year = matches[0][2], "%Y" if len(matches[0][4]) == 4 else "%y"
    if first <= 12 and second <= 12 and separator != ".":
        raise TableError(
            f"column '{name}' has dates such as '{texts[0]}', where day and month cannot be told apart: write them "
            f"like 2013-02-28, or add --drop '{name}'"
        )
    order = ("%d", "%m") if second <= 12 else ("%m", "%d")
    return _with_times(separator.join([*order, year]), matches[0][5])


def _with_times(form: str, time: str) -> Sequence[str]:
    if not time:
        return (form,)
    return tuple(f"{form}{time[0] if time[0] == 'T' else ' '}{clock}" for clock in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f"))


def are_dates_of_digits(values: NDArray[Any]) -> bool:
    """Return whether numbers without missing ones are dates such as 20130228."""
    if not len(values) or values.min() < 1900_01_01 or values.max() > 2100_12_31 or (values != np.floor(values)).any():
        return False
    return not np.isnat(_parsed([str(int(value)) for value in np.unique(values)], "%Y%m%d")).any()


def _parsed(texts: Any, form: str) -> NDArray[np.datetime64]:
    """Return the times that texts show on a clock: an offset from UTC changes nothing."""
    pandas = require("pandas", "cli")
    given = pandas.Series(texts, dtype=object)
    if form in (ISO, ISO_WITH_OFFSET):
        form, given = ISO, given.map(_wall_time, na_action="ignore")
    times = pandas.to_datetime(given, format=form, errors="coerce", utc=True)
    return np.asarray(times.dt.tz_localize(None).to_numpy("datetime64[us]"))


def _wall_time(text: str) -> str | None:
    """Return a text without its offset from UTC, or None if it is not a whole date: pandas completes a year alone."""
    whole = _YEAR_FIRST.fullmatch(text) or _DIGITS.fullmatch(text)
    return _OFFSET.sub(r"\1", text) if whole else None


def form_of_times(column: Any) -> str:
    """Return the format of a column whose values are times, not text."""
    return ISO_WITH_OFFSET if _offsets(column, column.notna().to_numpy()).any() else ISO


def _offsets(column: Any, known: NDArray[Any]) -> NDArray[Any]:
    """Return which of the known values of a column, times or text, have an offset from UTC."""
    if require("pandas", "cli").api.types.is_datetime64_any_dtype(column.dtype):
        return known if getattr(column.dt, "tz", None) is not None else np.zeros_like(known)
    found = (
        _OFFSET.search(value) is not None if isinstance(value, str) else getattr(value, "tzinfo", None) is not None
        for value in column.astype(object)
    )
    return np.asarray(np.fromiter(found, bool, len(column)) & known)


def times_of(column: Any, form: str) -> NDArray[np.datetime64]:
    """Return the times of a column: datetime64, shape (rows,), NaT for missing values.

    Raises
    ------
    TableError
        A value is no date of the format.
    """
    pandas = require("pandas", "cli")
    known = column.notna().to_numpy()
    _check_offsets(column, known, form)
    if pandas.api.types.is_datetime64_any_dtype(column.dtype):
        return np.asarray(column.dt.tz_localize(None).to_numpy("datetime64[us]"))
    kind = pandas.api.types.infer_dtype(column, skipna=True)
    if kind in ("date", "datetime", "datetime64"):
        clock = column.astype(object).map(_without_zone, na_action="ignore")
        return np.asarray(pandas.to_datetime(clock).to_numpy("datetime64[us]"))
    texts = texts_in(column).map(str.strip, na_action="ignore")
    times = _parsed(texts, form)
    wrong = np.isnat(times) & known
    if wrong.any():
        place = int(np.argmax(wrong))
        row = row_of(column, place)
        raise TableError(f"column '{column.name}', row {row}: '{column.iloc[place]}' is not a date like the others")
    return times


def _without_zone(value: Any) -> Any:
    return value.replace(tzinfo=None) if getattr(value, "tzinfo", None) is not None else value


def _check_offsets(column: Any, known: NDArray[Any], form: str) -> None:
    """Raise TableError if some times have an offset from UTC and others, or those of the fit, have none."""
    if form not in (ISO, ISO_WITH_OFFSET):
        return
    wanted = form == ISO_WITH_OFFSET
    wrong = (_offsets(column, known) != wanted) & known
    if wrong.any():
        place = int(np.argmax(wrong))
        has, have = ("no offset", "have one") if wanted else ("an offset", "have none")
        raise TableError(
            f"column '{column.name}', row {row_of(column, place)}: '{column.iloc[place]}' has {has} from UTC, and the "
            f"others {have}"
        )


def parts_of(times: NDArray[np.datetime64], origin: np.datetime64) -> dict[str, Any]:
    """Return what a model can use of times: columns by name, with None or NaN for missing values.

    "year" is a number. "month" and "weekday" are texts. "elapsed" counts days from the origin. "hour" counts hours from
    midnight.
    """
    pandas = require("pandas", "cli")
    index = pandas.DatetimeIndex(times)
    missing = np.isnat(times)
    days = (times - origin) / np.timedelta64(1, "s") / SECONDS_OF_DAY
    midnight = times.astype("datetime64[D]")
    month = [
        None if gone else MONTHS[m] for gone, m in zip(missing, (index.month.fillna(1) - 1).astype(int), strict=True)
    ]
    weekday = [
        None if gone else WEEKDAYS[d] for gone, d in zip(missing, index.day_of_week.fillna(0).astype(int), strict=True)
    ]
    return {
        "year": pandas.Series(index.year, dtype=float),
        "month": pandas.Series(month, dtype=object),
        "weekday": pandas.Series(weekday, dtype=object),
        "elapsed": pandas.Series(days, dtype=float),
        "hour": pandas.Series((times - midnight) / np.timedelta64(1, "s") / 3600.0, dtype=float),
    }
