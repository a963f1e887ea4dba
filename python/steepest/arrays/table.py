"""Tables: an X of several groups of columns, in which categorical columns are codes and never columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categorical import Baseline, Categorical
from .device import arithmetic_dtype, dtype_name
from .encoding import FrameEncoder, Missing, Unknown
from .groups import FLOATS, as_csr, checked_group, product_of_csr, width_of
from .sparse import CSRView, is_sparse

__all__ = ["Table"]


class Table:
    """An X of several groups of columns, side by side: numbers, sparse columns and categorical columns.

    A table goes wherever a dense X goes. Its arrays are used in place and never copied or expanded.

    Parameters
    ----------
    *groups : arrays, CSR matrices and Categorical
        Each has the same number of rows. An array is float32 or float64, in C or F order, of two dimensions, or of one
        for a single column. All numbers have the same dtype.
    names : sequence, optional
        For each group its name; for numbers and sparse columns a sequence of names, one for each column. The default
        is "x0", "x1", and so on.
    dtype : float32 or float64, optional
        The dtype of the arithmetic, and of the targets. The default is the numbers' dtype, or float64 if all groups are
        categorical.

    Attributes
    ----------
    shape : tuple
        The numbers of rows and of columns; a categorical column counts as the columns that it stands for.
    groups : tuple
        The groups.
    names : list of str
        The names of the columns, ``column=level`` for those of a categorical column.
    nbytes : int
        The bytes of all groups.

    Raises
    ------
    TypeError, ValueError
        A group is of another kind, dtype or layout, or has another number of rows. An objective also checks the codes
        and the indices.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> size = np.array([1.0, 2.0, 3.0, 4.0])
    >>> colour = st.Categorical(np.array([0, 1, 1, 0], np.int8), ["red", "green"])
    >>> X = st.Table(size, colour, names=[["size"], "colour"])
    >>> X.names
    ['size', 'colour=red', 'colour=green']
    >>> result = st.minimize(st.LeastSquares(X, np.array([1.0, 3.0, 4.0, 4.0]), alpha=1e-6))
    >>> np.allclose(result.w[:3], [1.0, -0.5, 0.5], atol=1e-4)
    True
    """

    def __init__(self, *groups: Any, names: Sequence[Any] | None = None, dtype: Any = None) -> None:
        if not groups:
            raise ValueError("groups must be one group of columns at least, got none")
        self.groups = tuple(checked_group(each, number) for number, each in enumerate(groups))
        lengths = [len(group) for group in self.groups]
        if len(set(lengths)) > 1:
            raise ValueError(f"groups must have equally many rows, got {', '.join(map(str, lengths))}")
        if not 0 < lengths[0] < 2**32:
            raise ValueError(f"groups must have from 1 to {2**32 - 1:,} rows, got {lengths[0]:,}")
        self.dtype = self._dtype(dtype)
        self.shape = lengths[0], sum(width_of(group) for group in self.groups)
        self._names = None if names is None else list(names)
        self._encoder: FrameEncoder | None = None
        if names is not None and len(names) != len(groups):
            raise ValueError(f"names must be one for each of the {len(groups)} groups, got {len(names)}")

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        baseline: Baseline = "first",
        categorical: Any = "auto",
        missing: Missing = "error",
        dtype: Any = None,
    ) -> Table:
        """Return the table of a data frame of pandas or polars, or of an Arrow table.

        Numbers and booleans are copied to arrays, and categories and text to codes of 1, 2 or 4 bytes a row.

        Parameters
        ----------
        frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
            The rows.
        baseline : "first" or None
            "first" leaves out the column of each category's first level, see `Categorical`.
        categorical : "auto" or sequence of names
            The columns that are categories. "auto" means text and the categorical dtypes. A categorical dtype decides
            the order of its levels; others are sorted.
        missing : "error" or "level"
            What a missing category is: an error, or a level of its own, "(missing)", which is the last. A missing
            number is always an error.
        dtype : float32 or float64, optional
            The dtype of the arithmetic. The default is float32 if all numbers are float32, and float64 otherwise.

        Returns
        -------
        Table
            The columns are in the order of the frame. `encode` makes a table of other rows with the same levels.

        Raises
        ------
        TypeError, ValueError
            A column holds neither numbers nor text nor categories, or misses values. The message names the column.

        Examples
        --------
        >>> import pandas
        >>> import steepest as st
        >>> X = st.Table.from_frame(pandas.DataFrame({"size": [1.0, 2.0, 5.0], "colour": ["red", "blue", "red"]}))
        >>> X.names
        ['size', 'colour=red']
        >>> X.toarray()
        array([[1., 1.],
               [2., 0.],
               [5., 1.]])
        """
        encoder = FrameEncoder.learn(frame, categorical, baseline, missing, dtype)
        return cls.of_encoder(encoder, frame, "error")

    @classmethod
    def of_encoder(cls, encoder: FrameEncoder, frame: Any, unknown: Unknown) -> Table:
        """Return the table of a frame's rows by an encoder."""
        groups, names = encoder.groups(frame, unknown)
        table = cls(*groups, names=names, dtype=encoder.dtype)
        table._encoder = encoder
        return table

    def encode(self, frame: Any, unknown: Unknown = "error") -> Table:
        """Return the table of other rows, with the levels of the frame that this table is of.

        Parameters
        ----------
        frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
            The rows. They have the columns of the first frame, in any order; others are ignored.
        unknown : "error", "baseline" or "zeros"
            What a level is that the first frame did not have: an error, the first level, or zeros in all columns.

        Returns
        -------
        Table

        Raises
        ------
        TypeError, ValueError
            As `from_frame`. Also: a level is unknown, or this table is not of a frame.
        """
        if self._encoder is None:
            raise ValueError("encode needs a table that from_frame made, got one made of groups")
        return self.of_encoder(self._encoder, frame, unknown)

    def _dtype(self, given: Any) -> np.dtype[Any]:
        found = {arithmetic_dtype(dtype_name(g.dtype)) for g in self.groups if not isinstance(g, Categorical)}
        if given is not None:
            found.add(np.dtype(given))
        if len(found) > 1:
            raise TypeError(f"groups must have numbers of one dtype, got {' and '.join(sorted(map(str, found)))}")
        dtype = found.pop() if found else np.dtype(np.float64)
        if dtype not in FLOATS:
            raise TypeError(f"dtype must be float32 or float64, got {dtype}")
        return dtype

    @property
    def names(self) -> list[str]:
        names: list[str] = []
        for start, group, name in self._named():
            if isinstance(group, Categorical):
                column = f"x{start}" if name is None else name
                names += [f"{column}={level}" for level in group.levels[group.first :]]
            else:
                width = width_of(group)
                own = [f"x{start + j}" for j in range(width)] if name is None else list(name)
                if len(own) != width:
                    raise ValueError(f"names must have {width} names for a group of {width} columns, got {len(own)}")
                names += map(str, own)
        return names

    def _named(self) -> Iterator[tuple[int, Any, Any]]:
        start = 0
        for number, group in enumerate(self.groups):
            yield start, group, None if self._names is None else self._names[number]
            start += width_of(group)

    @property
    def ndim(self) -> int:
        return 2

    @property
    def size(self) -> int:
        """The number of entries that a pass reads."""
        return sum(int(group.size) for group in self.groups)

    @property
    def nbytes(self) -> int:
        return sum(
            group.data.nbytes + group.indices.nbytes + group.indptr.nbytes
            if isinstance(group, CSRView)
            else group.nbytes
            for group in self.groups
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Table({self.shape[0]} rows, {self.shape[1]} columns in {len(self.groups)} groups, {self.dtype})"

    def native_groups(self) -> list[tuple[str, Any]]:
        """Return the groups as `_core.grouped_source` takes them."""
        native: list[tuple[str, Any]] = []
        for number, (_, group, name) in enumerate(self._named()):
            if isinstance(group, Categorical):
                called = f"group {number}" if name is None else f"column {name!r}"
                native.append(("codes", (group.codes, len(group.levels), group.first, called)))
            elif isinstance(group, CSRView):
                values = None if group.is_ones else group.data
                native.append(("rows", (values, group.indices, group.indptr, group.shape[1])))
            else:
                native.append(("numbers", group))
        return native

    def take(self, index: Any) -> Table:
        """Return a copy of some rows: a slice, row numbers or an array of bool."""
        index = np.arange(len(self))[index]
        taken = (np.ascontiguousarray(g[index]) if isinstance(g, np.ndarray) else g.take(index) for g in self.groups)
        return Table(*taken, names=self._names, dtype=self.dtype)

    def check_finite(self) -> None:
        """Raise a ValueError that names the column and the row if a number is nan or infinite."""
        for start, group, _ in self._named():
            if isinstance(group, Categorical):
                continue
            values = group.data if isinstance(group, CSRView) else group
            if not (wrong := ~np.isfinite(values)).any():
                continue
            at = tuple(int(place) for place in np.argwhere(wrong)[0])
            if isinstance(group, CSRView):
                row, column = int(np.searchsorted(group.indptr, at[0], side="right")) - 1, int(group.indices[at[0]])
            else:
                row, column = at
            name = self.names[start + column]
            raise ValueError(f"X must hold finite numbers, got {values[at]} in row {row} of column {name!r}")

    def astype(self, dtype: Any, copy: bool = False) -> Table:
        """Return the table with its numbers in another dtype; itself if they have it. Codes are not copied."""
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return self
        groups = (
            group
            if isinstance(group, Categorical)
            else CSRView(group.data.astype(wanted), group.indices, group.indptr, group.shape)
            if isinstance(group, CSRView)
            else group.astype(wanted)
            for group in self.groups
        )
        return Table(*groups, names=self._names, dtype=wanted)

    def toarray(self) -> NDArray[Any]:
        """Return the dense array that the table stands for."""
        return np.hstack([
            group if isinstance(group, np.ndarray) else as_csr(group, self.dtype).toarray(self.dtype)
            for group in self.groups
        ])  # fmt: skip

    def as_csr(self) -> CSRView:
        """Return the sparse matrix that the table stands for."""
        entries = []
        for start, group, _ in self._named():
            part = as_csr(group, self.dtype)
            entries.append(
                (part.rows_of_entries(), start + part.indices.astype(np.int64), part.widened.astype(self.dtype))
            )
        row, column, data = (np.concatenate(each) for each in zip(*entries, strict=True))
        order = np.argsort(row, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(self)))]).astype(np.int64)
        return CSRView(data[order], column[order], indptr, self.shape)

    def __getitem__(self, index: Any) -> Table:
        return self.take(index)

    def __matmul__(self, w: Any) -> NDArray[Any]:
        """Return the product with w, of shape (n_columns,) or (n_columns, k)."""
        w = w.toarray() if is_sparse(w) else np.asarray(w)
        if len(w) != self.shape[1]:
            raise ValueError(f"w must have {self.shape[1]} rows, one for each column of the table, got {len(w)}")
        product = np.zeros((len(self), *w.shape[1:]), np.result_type(w.dtype, self.dtype))
        for start, group, _ in self._named():
            own = w[start : start + width_of(group)]
            product += product_of_csr(group, own) if isinstance(group, CSRView) else group.dot(own)
        return product

    def largest(self, weights: NDArray[Any] | None) -> NDArray[np.float64]:
        """Return the largest magnitude of each column, over the rows of positive weight."""
        present = None if weights is None else weights > 0
        found = np.zeros(self.shape[1])
        for start, group, _ in self._named():
            part = found[start : start + width_of(group)]
            if isinstance(group, np.ndarray):
                sizes = np.abs(group if present is None else group[present])
                part[:] = sizes.max(axis=0, initial=0.0)
                continue
            part[:] = as_csr(group, self.dtype).largest(weights)
        return found
