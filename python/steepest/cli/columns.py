"""`Column`: what a model knows of a column of a table, and the numbers that it makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from . import dates
from .assembly import Block, OneHot
from .numerals import spelling
from .tables import CODE, TableError, row_of, text_of, texts_in

MISSING = "(missing)"  # the level of missing values
INTERCEPT = "(intercept)"  # its name among the standard errors
Array = NDArray[Any]
_FILL = "fit with --missing mean or median to fill them in"
Kind = Literal["number", "category", "date"]
Unknown = Literal["baseline", "error"]


@dataclass(frozen=True)
class Column:
    """The kind of a column, as the fit decided it once.

    Attributes
    ----------
    name : str
    kind : {"number", "category", "date"}
    levels : tuple of str
        The levels of a category. The first one is the baseline: it has no feature, as the intercept represents it.
    ordered : bool
        Whether the levels have an order, which `levels` then keeps.
    fill : float or None
        The number that replaces missing numbers. None means that there are to be none.
    flagged : bool
        Whether a feature says that the number was missing.
    format, origin : str
        The format of a date, and the day from which days are counted.
    parts : tuple of Column
        The parts of a date, which are numbers and categories.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    ordered: bool = False
    fill: float | None = None
    flagged: bool = False
    format: str = ""
    origin: str = ""
    parts: tuple[Column, ...] = ()

    @property
    def features(self) -> list[str]:
        """The names of the features, such as "distance", "carrier=UA" and "day.elapsed"."""
        if self.kind == "number":
            return [self.name, f"{self.name}={MISSING}"] if self.flagged else [self.name]
        if self.kind == "category":
            return [f"{self.name}={level}" for level in self.levels[1:]]
        return [feature for part in self.parts for feature in part.features]

    @property
    def is_text(self) -> bool:
        """Whether a reader must keep the text of the column."""
        return self.kind != "number"

    def content(self) -> dict[str, Any]:
        """Return what a model file says of the column."""
        content: dict[str, Any] = {"name": self.name, "kind": self.kind}
        if self.kind == "category":
            return {**content, "levels": list(self.levels), "ordered": self.ordered}
        if self.kind == "number":
            return {**content, "fill": self.fill, "flagged": self.flagged}
        parts = [part.content() for part in self.parts]
        return {**content, "format": self.format, "origin": self.origin, "parts": parts}

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> Column:
        """Return the column of which a model file says so."""
        levels, parts = tuple(content.get("levels", ())), tuple(map(cls.of_content, content.get("parts", ())))
        return cls(**{**content, "levels": levels, "parts": parts})

    def baselines(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the baseline level of each category."""
        if self.kind == "category":
            yield self.name, self.levels[0]
        for part in self.parts:
            yield from part.baselines()

    def encode(self, column: Any, unknown: Unknown) -> list[Block]:
        """Return the features of a pandas Series, in blocks.

        Raises
        ------
        TableError
            A value is missing, of another kind, or a level that the fit did not see and `unknown` is "error". The
            message names the column and the row. Rows count from 1.
        """
        if self.kind == "date":
            times = dates.times_of(column, self.format)
            if np.isnat(times).any() and any(part.kind == "number" and part.fill is None for part in self.parts):
                raise TableError(_is_missing(column, np.isnat(times), _FILL))
            values = dates.parts_of(times, np.datetime64(self.origin))
            made = (
                part.encode(values[part.name.rpartition(".")[2]].rename(part.name).set_axis(column.index), unknown)
                for part in self.parts
            )
            return [block for blocks in made for block in blocks]
        if self.kind == "number":
            return [self._numbers(column)]
        return [OneHot(self._codes(column, unknown), len(self.levels) - 1)]

    def _numbers(self, column: Any) -> Array:
        values = numbers_of(column)
        missing = np.isnan(values)
        if missing.any():
            if self.fill is None:
                raise TableError(_is_missing(column, missing, _FILL))
            values = np.where(missing, self.fill, values)
        return np.column_stack([values, missing.astype(np.float64)]) if self.flagged else values[:, None]

    def _codes(self, column: Any, unknown: Unknown) -> Array:
        """Return the places of the levels. An unknown level has the place of the baseline, if that is allowed."""
        pandas = require("pandas", "cli")
        levels = pandas.Index(self.levels)
        places, values = pandas.factorize(column if column.dtype != object else texts_in(column))
        known = levels.get_indexer(pandas.Index([text_of(value) for value in values], dtype=object))
        codes: Array = np.append(known, levels.get_indexer([MISSING]))[places]  # the place of a missing value is -1
        if unknown == "baseline":
            return np.asarray(np.maximum(codes, 0))
        if (codes < 0).any():
            place = int(np.argmax(codes < 0))
            if places[place] < 0:
                way = "--unknown baseline takes the baseline level; or fit with --missing category to rows without one"
                raise TableError(_is_missing(column, column.isna().to_numpy(), way))
            level, row = text_of(values[places[place]]), row_of(column, place)
            shown = ", ".join(self.levels[:10]) + (", ..." if len(self.levels) > 10 else "")
            raise TableError(
                f"column '{self.name}', row {row}: level '{level}' is not one that the model knows ({shown})"
            )
        return codes


def _is_missing(column: Any, missing: Array, way: str) -> str:
    row, count = row_of(column, int(np.argmax(missing))), int(missing.sum())
    rows = f"row {row} has" if count == 1 else f"{count:,} rows have"
    first = "" if count == 1 else f", first row {row}"
    return f"column '{column.name}': {rows} no value{first}, and the fit had none; {way}"


def check_typed(column: Any) -> None:
    """Raise TableError if a column for numbers holds truth values, or text such as 007, which a fit takes for text."""
    if column.dtype.kind in "iuf":
        return
    for place, value in enumerate(column):
        if isinstance(value, bool | np.bool_) or (isinstance(value, str) and CODE.fullmatch(value.strip())):
            what = "text with a leading zero" if isinstance(value, str) else "a truth value"
            raise TableError(
                f"column '{column.name}', row {row_of(column, place)}: '{value}' is {what}, and the fit had numbers"
            )


def numbers_of(column: Any) -> Array:
    """Return a column as float64, with NaN for missing values.

    Raises
    ------
    TableError
        A value is no finite number. The message names its row.
    """
    pandas = require("pandas", "cli")
    if column.dtype.kind in "iub" or pandas.api.types.is_float_dtype(column.dtype):
        values: Array = column.to_numpy(np.float64, na_value=np.nan)
    else:
        try:
            values = pandas.to_numeric(column.astype(object), errors="coerce").to_numpy(np.float64, na_value=np.nan)
        except OverflowError:  # an integer beyond every type
            raise TableError(f"column '{column.name}' has values that are not finite in float64") from None
        wrong = np.isnan(values) & ~column.isna().to_numpy()
        if wrong.any():
            place = int(np.argmax(wrong))
            text, row = str(column.iloc[place]), row_of(column, place)
            found = spelling([text])
            reason = f" (a number with {found[0]})" if found else ""
            raise TableError(
                f"column '{column.name}' holds text such as '{text}'{reason} in row {row}; expected numbers"
            )
    if np.isinf(values).any():
        row = row_of(column, int(np.argmax(np.isinf(values))))
        raise TableError(f"column '{column.name}' has values that are not finite in float64, the first in row {row}")
    return values
