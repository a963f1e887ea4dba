"""`TableEncoder`: the transformer that makes numbers of the columns of a table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ..extras import require
from .assembly import assembled, is_sparse
from .columns import Array, Column, Unknown, check_typed, numbers_of
from .kinds import Decision, check_features, decide
from .numbered import Numbering, beside_numbered, numbering_of, split_columns
from .tables import OptionError, TableError, some

_base: Any = require("sklearn.base", "cli")
POLICIES = ("error", "drop", "mean", "median", "category")


class TableEncoder(_base.TransformerMixin, _base.BaseEstimator):  # type: ignore[misc]
    """The encoding of columns as numbers. Numbers stay as they are, categories become one-hot, dates their parts.

    The first level of a category gets no feature: the intercept represents it.

    Parameters
    ----------
    categorical, numeric : tuple of str
        Columns that are categories, or numbers, whatever they hold.
    missing : {"error", "drop", "mean", "median", "category"}
        What to do with missing values. "error" and "drop" accept none. With the others, missing values of a category
        are a level of their own, and missing numbers become the mean, or with "median" the median, of the training
        rows. With "category", a further feature says which numbers were missing.
    unknown : {"error", "baseline"}
        What to do with a level that the fit did not see: refuse it, or take it for the baseline.
    leaves_out : bool
        Whether to leave out columns that say nothing, such as running numbers.

    Attributes
    ----------
    columns_ : list of Column
        The columns that the model uses.
    left_out_ : dict of str to str
        Why each of the other columns was left out.
    notes_ : list of str
        Remarks on columns.
    feature_names_in_ : array of str
        The names of the columns that the model uses. Absent if some of them are numbered.
    numbering_ : Numbering or None
        The columns of a svmlight file or of a sparse matrix. Their features come before those of ``columns_``.
    """

    numbering_: Numbering | None = None

    def __init__(
        self,
        categorical: Any = (),
        numeric: Any = (),
        missing: str = "error",
        unknown: Unknown = "error",
        leaves_out: bool = True,
    ) -> None:
        self.categorical, self.numeric, self.missing, self.unknown = categorical, numeric, missing, unknown
        self.leaves_out = leaves_out

    def fit(self, frame: Any, y: Any = None) -> TableEncoder:
        """Decide the kind of every column of a frame, and what replaces missing numbers.

        Raises
        ------
        TableError
            A column cannot be used, or has missing values and ``missing`` is "error".
        """
        self.__dict__.pop("record_", None)  # what a model file said of an earlier fit
        self.numbering_ = numbering_of(frame)
        if self.numbering_ is not None:
            self.decide(as_frame(np.zeros((0, 0))))
            return self
        frame = as_frame(frame).reset_index(drop=True)
        _check_unique(frame, list(frame.columns))
        self.decide(frame)
        self.learn_fills(frame)
        return self

    def decide(self, frame: Any) -> None:
        """Decide the kind of every column of a frame."""
        if self.missing not in POLICIES:
            raise OptionError(f"missing must be one of {', '.join(POLICIES)}, got {self.missing!r}")
        found = Decision()
        if len(frame.columns) or self.numbering_ is None:
            found = decide(frame, self.categorical, self.numeric, self.leaves_out)
        self._use(found.columns)
        self.left_out_, self.notes_ = found.left_out, found.notes

    @classmethod
    def of_columns(cls, columns: list[Column], numbering: Numbering | None = None, **parameters: Any) -> TableEncoder:
        """Return a fitted encoder of columns that are known, as from a model file."""
        encoder = cls(**parameters)
        encoder.numbering_ = numbering
        encoder._use(columns)
        encoder.left_out_, encoder.notes_ = {}, []
        return encoder

    def _use(self, columns: list[Column]) -> None:
        self.columns_ = columns
        self.n_features_in_ = len(columns) + (0 if self.numbering_ is None else self.numbering_.width)
        if self.numbering_ is None:
            self.feature_names_in_ = np.array(self.column_names, dtype=object)
        else:
            self.__dict__.pop("feature_names_in_", None)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns that the model uses, but for numbered ones."""
        return [column.name for column in self.columns_]

    def learn_fills(self, frame: Any) -> None:
        """Learn what replaces missing numbers, from the training rows of the frame."""
        if self.missing in ("mean", "median", "category"):
            self.columns_ = [self._filled(column, frame) for column in self.columns_]
            check_features(self.columns_)  # one that tells which numbers were missing may be new
        elif self.missing == "error":
            check_complete(frame[self.column_names])

    def _filled(self, column: Column, frame: Any) -> Column:
        if column.kind == "number":
            values = numbers_of(frame[column.name])
            flagged = self.missing == "category" and bool(np.isnan(values).any())
            return replace(column, fill=_middle(values, self.missing), flagged=flagged)
        if column.kind == "date":
            filled = replace(column, parts=tuple(_fillable(part) for part in column.parts))
            made = dict(zip(column.parts, filled.encode(frame[column.name], "baseline"), strict=True))
            gone = frame[column.name].isna().to_numpy()
            parts = [
                replace(part, fill=_middle(np.where(gone, np.nan, made[part][:, 0]), self.missing))
                if part.kind == "number"
                else part
                for part in column.parts
            ]
            return replace(column, parts=tuple(parts))
        return column

    def transform(self, frame: Any) -> Any:
        """Return the features of a table: float64, of shape (rows, features).

        They are a C-ordered array. If there are more than 200 and at most a tenth of them is non-zero, they are a CSR
        array of scipy.sparse, and so are those of numbered columns.

        Raises
        ------
        TableError
            A column is absent, or a value is missing, of another kind or unknown. The message names column and row.
        """
        if self.numbering_ is not None:
            return self.encoded(*split_columns(frame, self.numbering_, self.column_names))
        if is_sparse(frame):
            frame = frame.toarray()
        return self.encoded(self._columns_of(frame).reset_index(drop=True))

    def encoded(self, frame: Any, numbered: Any = None) -> Any:
        """Return the features of a frame that has the columns, and the numbers of its rows, from 0, as its index.

        `numbered` is a matrix of the numbered columns, which has all rows of the table.
        """
        blocks: list[Any] = []
        for column in self.columns_:
            if column.kind == "number" and column.name not in self.numeric:
                check_typed(frame[column.name])
            blocks += column.encode(frame[column.name], self.unknown)
        if self.numbering_ is None:
            return assembled(blocks, len(frame))
        return beside_numbered(numbered, self.numbering_, blocks, frame.index.to_numpy())

    def _columns_of(self, data: Any) -> Any:
        frame, names = as_frame(data), self.column_names
        if not (hasattr(data, "columns") or hasattr(data, "column_names")):  # a bare array: by position
            if frame.shape[1] != len(names):
                raise TableError(f"X must have {len(names)} columns, or the names {some(names)}, got {frame.shape[1]}")
            return frame.set_axis(names, axis="columns")
        absent = [name for name in names if name not in frame.columns]
        if absent:
            raise TableError(f"no column '{absent[0]}'; the columns are {some(list(frame.columns))}")
        _check_unique(frame, names)
        return frame

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of the features, such as "distance", "carrier=UA" and "day.elapsed"."""
        numbered = [] if self.numbering_ is None else self.numbering_.names
        return np.array(numbered + [name for column in self.columns_ for name in column.features], dtype=object)

    @property
    def n_features(self) -> int:
        """How many features there are."""
        numbered = 0 if self.numbering_ is None else len(self.numbering_.numbers)
        return numbered + sum(len(column.features) for column in self.columns_)

    def feature_name(self, place: int) -> str:
        """Return the name of a feature, by its place."""
        numbered = 0 if self.numbering_ is None else len(self.numbering_.numbers)
        if self.numbering_ is not None and place < numbered:
            return str(self.numbering_.numbers[place])
        return [name for column in self.columns_ for name in column.features][place - numbered]


def _check_unique(frame: Any, names: list[str]) -> None:
    repeated = set(frame.columns[frame.columns.duplicated()])
    for name in names:
        if name in repeated:
            raise TableError(f"two columns are called '{name}': rename one")


def _fillable(part: Column) -> Column:
    return replace(part, fill=0.0) if part.kind == "number" else part


def _middle(values: Array, how: str) -> float:
    values = values[~np.isnan(values)]
    if not len(values):
        return 0.0
    return float(np.median(values) if how == "median" else np.mean(values))


def as_frame(data: Any) -> Any:
    """Return a table as a pandas data frame with text as names: of pandas, polars or Arrow, or an array."""
    pandas = require("pandas", "cli")
    if not isinstance(data, pandas.DataFrame):
        data = data.to_pandas() if hasattr(data, "to_pandas") else pandas.DataFrame(np.asarray(data))
    return data if all(isinstance(name, str) for name in data.columns) else data.set_axis(data.columns.map(str), axis=1)


def missing_counts(frame: Any) -> dict[str, int]:
    """Return the number of missing values of each column that has some."""
    counts = frame.isna().sum()
    return {str(name): int(count) for name, count in counts[counts > 0].items()}


def check_complete(frame: Any, outside: Collection[str] = ()) -> None:
    """Raise TableError naming all columns of a frame that have missing values, with their counts.

    In the columns `outside`, the target and the weights, no value is filled in.
    """
    counts = missing_counts(frame)
    if counts:
        listed = ", ".join(f"'{name}' ({count:,})" for name, count in counts.items())
        columns = "a column has" if len(counts) == 1 else f"{len(counts)} columns have"
        if set(counts) <= set(outside):
            raise TableError(
                f"{columns} missing values in {len(frame):,} rows: {listed}; --missing drop, mean, median and category "
                "leave out rows without a target or a weight"
            )
        raise TableError(
            f"{columns} missing values in {len(frame):,} rows: {listed}; --missing drop leaves out their rows, "
            "--missing mean, median or category fills them in, --drop leaves out a column"
        )
