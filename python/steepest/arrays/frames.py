"""Data frames of pandas, polars and Arrow: which columns are categories, and the codes of their rows.

No library is imported here. A column is asked for what its library offers.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "column_names",
    "column_of",
    "factorised",
    "has_categories",
    "is_category",
    "is_declared",
    "is_frame",
    "numbers_of",
]

_TEXT = ("string", "large_string", "string_view", "String", "str")
Codes = NDArray[np.int64]


def is_frame(X: Any) -> bool:
    """Return whether X is a data frame of pandas or polars, or a table of Arrow."""
    lazy = hasattr(X, "collect")  # it has no rows, and its columns are not known yet
    return _library(X) != "" and not lazy and hasattr(X, "columns")


def _library(thing: Any) -> str:
    """Return the library of a frame or a column, or of the class that its own is made from; "" for another."""
    found = (kind.__module__.partition(".")[0] for kind in type(thing).__mro__)
    return next((name for name in found if name in ("pandas", "polars", "pyarrow")), "")


def has_categories(frame: Any) -> bool:
    """Return whether some column of a frame has text or categories. The names of its columns need not differ."""
    if _library(frame) == "pandas":
        plain = [isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in frame.dtypes]
        return any(is_category(frame.iloc[:, place]) for place in np.flatnonzero(np.logical_not(plain)))
    return any(map(is_category, frame.get_columns() if _library(frame) == "polars" else frame.columns))


def column_names(frame: Any) -> list[Any]:
    """Return the names of the columns; a ValueError if two columns have one name."""
    names = list(getattr(frame, "column_names", None) or frame.columns)  # Arrow's `columns` are the data
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"X must have columns of different names, got two of the name {twice!r}")
    return names


def column_of(frame: Any, name: Any) -> Any:
    """Return the column of a name."""
    return frame.column(name) if _library(frame) == "pyarrow" else frame[name]


def is_declared(column: Any) -> bool:
    """Return whether the dtype of a column is one of categories."""
    kind = column.type if _library(column) == "pyarrow" else column.dtype
    if _library(column) == "pandas":
        return hasattr(kind, "categories")
    return str(kind).startswith(("dictionary", "Categorical", "Enum"))


def is_category(column: Any) -> bool:
    """Return whether a column has text or categories rather than numbers."""
    kind = str(column.type if _library(column) == "pyarrow" else column.dtype)
    if is_declared(column) or kind.partition("[")[0] in _TEXT or kind.startswith("dictionary"):
        return True
    if _library(column) != "pandas":
        return False
    values = column.dropna() if kind == "object" else ()
    return len(values) > 0 and all(isinstance(value, str) for value in values)


def factorised(column: Any) -> tuple[Codes, list[Any]]:
    """Return the code of each row and the levels that the codes number; a missing value has the code -1.

    The levels are those that occur. Those of a categorical dtype of pandas, of an Enum of polars and of an ordered
    dictionary of Arrow are in its order. Others are sorted.

    Raises
    ------
    TypeError
        The levels are of kinds that have no order, such as text and numbers.
    """
    library = _library(column)
    codes, levels, ordered = {"pyarrow": _of_arrow, "polars": _of_polars}.get(library, _of_pandas)(column)
    present = np.zeros(len(levels), bool)
    present[codes[codes >= 0]] = True
    places = np.flatnonzero(present)
    if not ordered:
        places = np.array(_sorted_places([levels[place] for place in places], places), dtype=np.intp)
    numbers = np.full(len(levels) + 1, -1)  # the last is that of -1
    numbers[places] = np.arange(len(places))
    return numbers[codes], [levels[place] for place in places]


def _sorted_places(levels: list[Any], places: NDArray[np.intp]) -> list[int]:
    try:
        return [int(place) for _, place in sorted(zip(levels, places, strict=True))]
    except TypeError:
        kinds = sorted({type(level).__name__ for level in levels})
        raise TypeError(f"levels must be of one kind, got {' and '.join(kinds)}") from None


def _of_pandas(column: Any) -> tuple[Codes, list[Any], bool]:
    if hasattr(column.dtype, "categories"):
        return column.cat.codes.to_numpy().astype(np.int64), _plain(column.cat.categories), True
    codes, levels = importlib.import_module("pandas").factorize(column)
    return codes.astype(np.int64), _plain(levels), False


def _of_polars(column: Any) -> tuple[Codes, list[Any], bool]:
    declared = getattr(column.dtype, "categories", None) if str(column.dtype).startswith("Enum") else None
    if str(column.dtype).partition("(")[0] in ("Enum", "Categorical"):
        column = column.cast(importlib.import_module("polars").String)
    levels = column.unique().drop_nulls().sort().to_list()
    codes = column.rank("dense").fill_null(0).to_numpy().astype(np.int64) - 1
    if declared is not None:
        place = {level: number for number, level in enumerate(declared)}
        order = sorted(range(len(levels)), key=lambda code: place[levels[code]])
        codes = np.append(np.argsort(order), -1)[codes]
        levels = [levels[code] for code in order]
    return codes, levels, True


def _of_arrow(column: Any) -> tuple[Codes, list[Any], bool]:
    is_encoded = str(column.type).startswith("dictionary")
    ordered = is_encoded and column.type.ordered  # else the order is that in which levels came
    encoded = column if is_encoded else column.dictionary_encode()
    if hasattr(encoded, "combine_chunks"):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    levels = encoded.dictionary.to_pylist()
    if None in levels:  # a missing level
        codes = np.where(codes == levels.index(None), -1, codes)
    return codes, levels, ordered


def _plain(levels: Any) -> list[Any]:
    """Return levels as Python's own text and numbers, which compare across libraries."""
    return [level.item() if isinstance(level, np.generic) else level for level in levels]


def numbers_of(column: Any, name: Any) -> NDArray[Any]:
    """Return a column as float32, if it is float32, or float64; a missing number is nan.

    Raises
    ------
    TypeError
        The column does not hold numbers.
    """
    given, library = getattr(column, "dtype", None), _library(column)
    kind = str(column.type if library == "pyarrow" else given)
    dtype = np.float32 if kind in ("float", "float32", "Float32") else np.float64
    if any(word in kind.lower() for word in ("date", "time", "duration", "list", "struct", "binary", "complex")):
        raise TypeError(f"X must hold numbers, text and categories, got {kind} in column {name!r}; make numbers of it")
    try:
        if library == "pandas":
            return np.ascontiguousarray(column.to_numpy(dtype=dtype, na_value=np.nan))
        if library == "polars":
            polars = importlib.import_module("polars")
            return np.ascontiguousarray(
                column.cast(polars.Float32 if dtype == np.float32 else polars.Float64).to_numpy()
            )
        found = column.to_numpy() if hasattr(column, "num_chunks") else column.to_numpy(zero_copy_only=False)
        return np.array([np.nan if x is None else x for x in found] if found.dtype == object else found, dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(f"X must hold numbers, text and categories, got {kind} in column {name!r}: {error}") from error
