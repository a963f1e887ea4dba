"""Columns of Arrow tables, as Parquet and CSV files give them: which are features, and how they become arrays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..extras import require
from .blocks import Entries, Place, write
from .files import DataError
from .iterable import facts_of_dtype
from .labels import Labels
from .part import Facts

__all__ = ["ArrowBlock", "Columns"]

_TILE = 1 << 15  # elements of X that are written column by column while they stay in the cache


@dataclass(frozen=True)
class Columns:
    """The columns of a table by their roles."""

    features: list[str]
    target: str | None
    weight: str | None
    has_text: bool  # as the target
    place: str  # the file that they are of
    dropped: frozenset[str] = frozenset()

    @classmethod
    def of(cls, schema: Any, place: str, target: Any, weight: Any, drop: Collection[Any] = ()) -> Columns:
        """Return the columns of a schema of Arrow, but those to drop. The index of a data frame is no feature."""
        for role, value in (("target", target), ("weight", weight)):
            _check_role(role, value, schema.names, place)
        for value in drop:
            _check_role("drop", value, schema.names, place)
        _check_repeated(schema.names, place)
        if target == weight and weight is not None:
            raise ValueError(f"target and weight must be different columns, got {target!r} for both")
        if {target, weight} & {*drop}:
            raise ValueError(f"drop must name neither the target nor the weight, got {list(drop)}")
        left_out = {target, weight, *drop, *_index_of_frame(schema)}
        features = [column for column in schema.names if column not in left_out]
        if not features:
            raise DataError(f"{place} must have a column beside the target and the weight, got {schema.names}")
        has_text = target is not None and is_text(schema.field(target).type)
        return cls(features, target, weight, has_text, place, frozenset(drop))

    @property
    def names(self) -> list[str]:
        """All columns, the features first."""
        return [*self.features, *(name for name in (self.target, self.weight) if name is not None)]

    def kinds(self, schema: Any, place: str) -> list[np.dtype[Any]]:
        """Check that a file has the same columns, in whatever order, and return the dtypes of the features."""
        _check_repeated(schema.names, place)
        missing = [column for column in self.names if column not in schema.names]
        known = {*self.names, *self.dropped, *_index_of_frame(schema)}
        more = [column for column in schema.names if column not in known]
        if missing or more:
            what = f"has no column {missing[0]!r}" if missing else f"has a column {more[0]!r}"
            other = f"{self.place} has {'one' if missing else 'none'}"
            raise DataError(f"all files must have the same columns; {place} {what}, and {other}")
        self._check_target(schema, place)
        for name in [] if self.weight is None else [self.weight]:
            _number_type(schema.field(name), place)
        return [_number_type(schema.field(name), place) for name in self.features]

    def _check_target(self, schema: Any, place: str) -> None:
        if self.target is None:
            return
        kind = schema.field(self.target).type
        if is_text(kind) != self.has_text:
            expected = f"column {self.target!r} of {place} must hold {'text' if self.has_text else 'numbers'}"
            raise DataError(f"{expected}, as in {self.place}, got {kind}")
        if not self.has_text:
            _number_type(schema.field(self.target), place)

    def target_dtype(self, schema: Any, place: str) -> np.dtype[Any] | None:
        """Return the dtype of the targets of a file; None without a target."""
        if self.target is None:
            return None
        return np.dtype(object) if self.has_text else _number_type(schema.field(self.target), place)

    def facts(
        self, kinds: list[np.dtype[Any]], targets: list[np.dtype[Any] | None], dtype: np.dtype[Any] | None
    ) -> Facts:
        """Return what the parts of a stream share, for features of these dtypes and files with targets of these."""
        found = Facts(
            len(self.features),
            *facts_of_dtype(dtype, kinds),
            has_weights=self.weight is not None,
            feature_names=self.features,
            target=targets[0],
        )
        for each in targets[1:]:
            if each is not None:
                found.note_target(each)
        return found


def _index_of_frame(schema: Any) -> list[str]:
    """Return the columns that are the index of a data frame of pandas."""
    listed = (schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in listed if isinstance(name, str)]


def _check_role(role: str, value: Any, names: list[str], file: str) -> None:
    if value is None and role in ("target", "weight"):
        return
    some = ", ".join(map(repr, names[:8])) + ", ..." * (len(names) > 8)
    if not isinstance(value, str):
        raise TypeError(f"{role} must be the name of a column of {file} ({some}), got {describe(value)}")
    if value not in names:
        raise ValueError(f"{role} must be the name of a column of {file} ({some}), got {value!r}")


def _check_repeated(names: list[str], place: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{place} has two columns named {repeated[0]!r}; rename one")


def is_text(kind: Any) -> bool:
    """Return whether a type of Arrow is text, or codes of text."""
    types = require("pyarrow.types", "stream")
    if types.is_dictionary(kind):
        kind = kind.value_type
    is_view = getattr(types, "is_string_view", lambda kind: False)
    return bool(types.is_string(kind) or types.is_large_string(kind) or is_view(kind))


def _number_type(field: Any, name: str) -> np.dtype[Any]:
    """Return the dtype of a column of numbers."""
    types = require("pyarrow.types", "stream")
    if types.is_decimal(field.type):
        return np.dtype(np.float64)
    if not (types.is_integer(field.type) or types.is_floating(field.type) or types.is_boolean(field.type)):
        raise DataError(
            f"column {field.name!r} of {name} must hold numbers, got {field.type}; encode it as numbers (for example "
            "with pandas.get_dummies), or write the file without it"
        )
    found: np.dtype[Any] = np.dtype(field.type.to_pandas_dtype())
    return found


@dataclass
class ArrowBlock:
    """Rows of a record batch of Arrow."""

    batch: Any
    columns: Columns
    place: Place
    labels: Labels | None

    def __post_init__(self) -> None:
        for name in self.columns.names:
            column = self._column(name)
            if column.null_count:
                at = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
                advice = "drop or fill the rows with missing values"
                raise DataError(f"column {name!r} must have no missing value, got one in {self.place.at(at)}; {advice}")

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def _column(self, name: str) -> Any:
        return self.batch.column(self.batch.schema.get_field_index(name))

    def write_X(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy rows into a dense array."""
        arrays = [_numbers(self._column(name).slice(start, stop - start)) for name in self.columns.features]
        step = max(_TILE // len(arrays), 64)
        for first in range(0, stop - start, step):
            rows = slice(first, first + step)
            for number, array in enumerate(arrays):
                write(out[rows, number], array[rows])

    def entries(self, start: int, stop: int) -> Entries:
        """Return rows of a sparse block, which this one is not."""
        raise NotImplementedError

    def write_y(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy the targets of rows, or their codes."""
        if self.columns.target is None:
            out[:] = 0
            return
        column = self._column(self.columns.target).slice(start, stop - start)
        if self.labels is None:
            write(out, _numbers(column))
            return
        types = require("pyarrow.types", "stream")
        coded = column if types.is_dictionary(column.type) else column.dictionary_encode()
        indices = np.asarray(coded.indices)
        used, places = np.unique(indices, return_inverse=True)
        known = coded.dictionary.to_pylist()
        write(out, self.labels.codes([known[at] for at in used])[places])

    def write_weight(self, out: NDArray[Any], start: int, stop: int) -> None:
        """Copy the weights of rows."""
        assert self.columns.weight is not None
        write(out, _numbers(self._column(self.columns.weight).slice(start, stop - start)))


def _numbers(column: Any) -> NDArray[Any]:
    if require("pyarrow.types", "stream").is_decimal(column.type):
        column = column.cast(require("pyarrow", "stream").float64())
    found: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return found
