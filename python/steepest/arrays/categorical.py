"""`Categorical`: a column of categories as one code a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .checks import describe
from .sparse import CSRView

__all__ = ["Baseline", "Categorical", "check_baseline"]

Baseline = Literal["first"] | None
_CODES = (np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32))


def check_baseline(value: Any) -> None:
    """Check the argument `baseline`."""
    if value not in (None, "first"):
        raise ValueError(f"baseline must be None or 'first', got {value!r}")


class Categorical:
    """A categorical column of a `Table`: one code a row, used in place.

    The column stands for one column of 0 and 1 for each level, but these are never made. A pass over the data takes one
    number of the parameters and adds to one number of the gradient in each row.

    Parameters
    ----------
    codes : array of int8, int16 or int32, of shape (n_samples,)
        The number of each row's level, counted from 0. A row of code -1 has zeros in all columns.
    levels : int or sequence
        The number of levels, or their names.
    baseline : None or "first"
        "first" leaves out the column of the first level: the other coefficients are then differences to it. None keeps
        the columns of all levels. Their sum is then the column of the intercept, so give the objective a penalty.

    Attributes
    ----------
    codes : numpy.ndarray
        The codes.
    levels : tuple
        The names of the levels.
    n_columns : int
        The number of columns that the codes stand for.

    Raises
    ------
    TypeError, ValueError
        The codes have another dtype or shape, or there are no levels. An objective checks the codes themselves.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> colour = st.Categorical(np.array([0, 2, 1, 0], np.int8), ["red", "green", "blue"], baseline="first")
    >>> colour.n_columns
    2
    >>> st.Table(colour).toarray()
    array([[0., 0.],
           [0., 1.],
           [1., 0.],
           [0., 0.]])
    """

    def __init__(self, codes: NDArray[Any], levels: int | Sequence[Any], baseline: Baseline = None) -> None:
        expected = "codes must be a contiguous int8, int16 or int32 NumPy array of one dimension"
        if not isinstance(codes, np.ndarray) or codes.dtype not in _CODES:
            whole = isinstance(codes, np.ndarray) and codes.dtype.kind in "iu"
            remedy = "; convert them with codes.astype(np.int32)" if whole else ""
            raise TypeError(f"{expected}, got {describe(codes)}{remedy}")
        if codes.ndim != 1 or not (codes.flags.c_contiguous and codes.flags.aligned):
            raise ValueError(f"{expected}, got {describe(codes)}")
        check_baseline(baseline)
        numbered = isinstance(levels, (int, np.integer)) and not isinstance(levels, bool)
        self.levels: Sequence[Any] = range(int(levels)) if numbered else tuple(levels)  # type: ignore[arg-type]
        self.codes, self.baseline = codes, baseline
        if self.n_columns < 1:
            least = 2 if self.first else 1
            raise ValueError(f"levels must be at least {least} with baseline={baseline!r}, got {len(self.levels)}")

    @property
    def first(self) -> int:
        """The number of the first level that has a column."""
        return int(self.baseline == "first")

    @property
    def n_columns(self) -> int:
        return len(self.levels) - self.first

    @property
    def size(self) -> int:
        """The number of entries that a pass reads."""
        return int(self.codes.size)

    @property
    def nbytes(self) -> int:
        """The bytes of the codes."""
        return int(self.codes.nbytes)

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Categorical({len(self)} codes of {len(self.levels)} levels, baseline={self.baseline!r})"

    def columns(self, index: Any = slice(None)) -> NDArray[np.int64]:
        """Return the number of each row's column; -1 for a row of zeros."""
        columns = self.codes[index].astype(np.int64) - self.first
        return np.where(columns < self.n_columns, np.maximum(columns, -1), -1)

    def take(self, index: Any) -> Categorical:
        """Return a copy of some rows."""
        return Categorical(np.ascontiguousarray(self.codes[index]), self.levels, self.baseline)

    def as_csr(self, dtype: np.dtype[Any]) -> CSRView:
        """Return the columns of 0 and 1 as a CSR matrix."""
        columns = self.columns()
        kept = columns >= 0
        indptr = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return CSRView(np.ones(int(indptr[-1]), dtype), columns[kept], indptr, (len(self), self.n_columns))

    def dot(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the product with the vector or table w, without the columns."""
        none = np.zeros((1, *w.shape[1:]), w.dtype)
        product: NDArray[Any] = np.concatenate([w, none])[self.columns()]
        return product
