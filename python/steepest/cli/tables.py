"""`Table`, a table from a file, and the errors of tables. `readers` reads the files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..extras import require

CODE = re.compile(r"0[0-9]+")  # digits that are text, as a number would lose the leading zeros


class TableError(ValueError):
    """An error for a table, or a column, that cannot be used. The message names the file or the column."""


class NoRowsError(TableError):
    """An error for a table of which no row is left."""


class OptionError(ValueError):
    """An error for options that contradict each other, or for one that is missing."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read a table that is text.

    Attributes
    ----------
    separator : str or None
        The character between two fields. None means a tab for .tsv, a semicolon if decimals have a comma, else a comma.
    decimal : str
        The character before the decimals.
    encoding : str
        The encoding of the text.
    na : tuple of str
        Fields that mean a missing value, besides empty ones and the usual NA, NaN, null, None ...
    text : frozenset of str
        Columns to read as text, such as codes with leading zeros. Names of no column are ignored.
    copies : frozenset of str
        Columns whose text is to be kept beside their values, as ``Table.texts``.
    """

    separator: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"
    na: tuple[str, ...] = ()
    text: frozenset[str] = frozenset()
    copies: frozenset[str] = frozenset()


@dataclass
class Table:
    """A table from a file.

    Attributes
    ----------
    frame : pandas.DataFrame
        The columns, which have string names. The columns of a bare matrix are called "0", "1", ...
    target : str or None
        The column that the format itself marks as the target: "y" of an NPZ file, or "y" for the svmlight labels.
    kind : {"named", "matrix", "sparse"}
        Whether columns have names ("named") or positions only ("matrix", "sparse"). In a "sparse" table, an absent
        column means zeros.
    numbered : Numbered or None
        The columns of a "sparse" table that are not in the frame, as a sparse matrix.
    integers : dict of str to (int, int)
        The least and the largest number of each column whose integers fit in no integer type. Its frame column has
        float64.
    name, digest : str
        The name of the file, and the SHA-256 digest of its bytes. Empty if there is no file.
    decimal : str
        The character before the decimals of numbers that the reader left as text.
    texts : dict of str to pandas.Series
        Columns as the text of the file has them.
    """

    frame: Any
    target: str | None = None
    kind: Literal["named", "matrix", "sparse"] = "named"
    numbered: Any = None
    integers: dict[str, tuple[int, int]] = field(default_factory=dict)
    name: str = ""
    digest: str = ""
    decimal: str = "."
    texts: dict[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.frame.columns or (self.numbered is not None and name in self.numbered.numbering)

    def listed(self) -> str:
        """Return the names of the columns, or of the first of many."""
        names = list(self.frame.columns)
        return some(names) if self.numbered is None else f"{self.numbered.numbering.listed()}, {some(names)}"

    def column(self, name: str) -> str:
        """Return the name of the column that a user means. In a matrix, an index may be negative.

        Raises
        ------
        TableError
            The table has no such column.
        """
        columns = list(self.frame.columns)
        from_the_end = int(name[1:]) if name.startswith("-") and name[1:].isdecimal() else 0
        if self.kind == "matrix" and 0 < from_the_end <= len(columns):
            return str(columns[-from_the_end])
        if name not in self:
            raise TableError(f"no column '{name}'; the columns are {self.listed()}")
        return name

    def values(self, name: str) -> Any:
        """Return a column as a pandas Series."""
        if name in self.frame.columns:
            return self.frame[name]
        return require("pandas", "cli").Series(self.numbered.values(name), self.frame.index, name=name)

    def with_columns(self, names: Collection[str]) -> Table:
        """Return the table with copies of some numbered columns in its frame."""
        made = {name: self.values(name) for name in names if name not in self.frame.columns}
        if not made:
            return self
        pandas = require("pandas", "cli")
        return replace(self, frame=pandas.concat([self.frame, pandas.DataFrame(made)], axis="columns"))

    def target_column(self, name: str | None) -> str:
        """Return the target column that a user named. Without a name, it is the column that the format marks.

        Raises
        ------
        TableError
            The table has no such column, or no column was named and the format marks none.
        """
        if name is not None:
            return self.column(name)
        if self.target is None:
            raise TableError(f"no target column was named: add --target; the columns are {self.listed()}")
        return self.target

    def select(
        self,
        names: list[str],
        sparse: bool = False,
        beside: Collection[str] = (),
        unused: Collection[str] = (),
        strict: bool = True,
    ) -> Any:
        """Return the columns that a model needs, in its order.

        A matrix without columns of these names must have as many features as the model. They are matched by position.

        Parameters
        ----------
        names : list of str
            The columns.
        sparse : bool
            Whether the model was fitted to a svmlight file. Such a file holds no zeros, so absent columns are zeros.
        beside : collection of str
            Columns of this table that are no features: its target and its weights.
        unused : collection of str
            Columns of a svmlight file that the fit was given and left out.
        strict : bool
            Whether to refuse a svmlight file that has numbers in a column that the model does not know.

        Raises
        ------
        TableError
            A column is missing. Or a svmlight file has numbers in a column that the model does not know.
        """
        columns = list(self.frame.columns)
        features = [name for name in columns if name != self.target and name not in beside]
        if self.kind == "sparse" and sparse:
            known = {*names, *unused, *beside}
            if strict:
                odd = [name for name in features if name not in known and self.frame[name].any()]
                numbered = [] if self.numbered is None else self.numbered.numbering.names
                refuse_unknown([*odd, *(name for name in numbered if name not in known)])
            frame = self.with_columns([name for name in names if name in self]).frame
            return frame.reindex(columns=names, fill_value=0.0)
        missing = [name for name in names if name not in self]
        if missing and self.kind == "matrix":
            if len(features) != len(names):
                raise TableError(f"{len(features)} columns, and the model needs {len(names)}: {some(names)}")
            return self.frame[features].set_axis(names, axis="columns")
        if missing:
            no = f"no column '{missing[0]}'" if len(missing) == 1 else f"no columns {quoted(missing)}"
            raise TableError(f"{no}; the columns are {self.listed()}")
        return self.with_columns(names).frame[names]

    def check_decimals(self, frame: Any) -> None:
        """Raise TableError if columns for numbers hold text with a point, and the decimals of the file have a comma."""
        if self.decimal == ".":
            return
        for name in frame.columns:
            values = list(frame[name]) if frame[name].dtype.kind not in "iufb" else []
            for place, value in enumerate(values):
                if isinstance(value, str) and "." in value:
                    raise TableError(
                        f"column '{name}', row {row_of(frame[name], place)}: '{value}' has a point; expected a number "
                        f"with the decimal character '{self.decimal}'"
                    )


def refuse_unknown(odd: list[str]) -> None:
    """Raise TableError if there are columns that a model does not know, and that are not zeros."""
    if odd:
        raise TableError(
            f"the model has no column{'s' if len(odd) > 1 else ''} {quoted(odd)}, where the file has numbers "
            "other than 0: it may count its columns from another number; predict and evaluate leave them out with "
            "--unknown baseline"
        )


def some(names: list[str]) -> str:
    """Return up to 20 names, separated by commas."""
    return ", ".join(map(str, names[:20])) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")


def row_of(column: Any, place: int) -> int:
    """Return the number of a row of the file, from its place in a column of which some rows may be left out."""
    return int(column.index[place]) + 1


def quoted(names: list[str]) -> str:
    """Return up to 20 names in quotes, separated by commas."""
    return some([f"'{name}'" for name in names])


def text_of(value: Any) -> str:
    """Return the text of a value, the same whether a format keeps it as an integer, a whole float or text."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str | bool | int | float):
        raise TableError(f"a cell holds a {type(value).__name__}; expected numbers, booleans or text")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def texts_in(column: Any) -> Any:
    """Return a column of the texts of its values, as `text_of` gives them; missing values stay missing.

    Raises
    ------
    TableError
        A value is a list, a struct or the like.
    """
    try:
        return column.astype(object).map(text_of, na_action="ignore")
    except TableError as error:
        raise TableError(str(error).replace("a cell", f"column '{column.name}'")) from None


@contextlib.contextmanager
def reading(path: str | Path, failure: str) -> Iterator[None]:
    """Turn any error of a block that reads a file into a TableError of one line that names the file.

    On damaged files, packages raise errors of every type, so no list of types is complete. Errors that are not the
    file's fault keep their type: a package cannot be imported, the system cannot open the file, or memory does not
    suffice. The MemoryError names the file. Ctrl-C passes through.
    """
    try:
        yield
    except (TableError, OptionError, ImportError):
        raise
    except MemoryError as error:
        raise MemoryError(f"{path}: {error}") from error
    except Exception as error:
        # The system's OSErrors have an errno and a file name. Those of gzip, bz2 and Arrow, for bad content, have none.
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TableError(f"{path} {failure}: {reason}") from error
