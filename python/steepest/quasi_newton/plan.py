"""The cost model of QuasiNewton: what the shape of a problem says of how to go about it."""

from __future__ import annotations

__all__ = ["SamplePlan"]

_ROWS = 10_000
_ROWS_A_PARAMETER = 10
_MOST_PARAMETERS = 4096  # of a whole Hessian
# Of two cores, roughly: bytes a second that a pass reads, and its multiply-adds a second; those of the Hessian (counted
# as n p (p + 20)) and of a factorisation in float64 (p^3). Only their ratios matter.
_READ, _MULTIPLY, _HESSIAN, _FACTOR = 22e9, 60e9, 140e9, 60e9
_SCORES = 3e9  # multiply-adds of NumPy without its linear algebra, whose bits would depend on its threads
_NARROW = 20  # what a row costs in the Hessian beside its products, in columns
# Passes that a whole Hessian of a sample may cost without being asked for, and that of all rows where it is the same
# everywhere: the first step with it is the last.
_CHEAP = 4.0
_SHARE = 20  # of the rows, at most, are copied for a better one
_ENOUGH = 1000  # rows a parameter
_WORTH = 1.5  # passes to be spent on a better one


class SamplePlan:
    """What a problem's shape says of how to go about it; nothing is timed, so that the same run has the same bits.

    Parameters
    ----------
    n, d, p : int
        Rows, columns and parameters.
    itemsize : int
        Bytes of an element of X.
    is_quadratic : bool
        Whether the Hessian is the same everywhere.
    n_scores : int
        Of a row.

    Attributes
    ----------
    rows : int
        Rows of the first sample: all, where that is no fewer.
    hessian_rows : int
        Rows for the Hessian, where there is one.
    whole : bool
        Whether to begin with a whole Hessian, rather than a diagonal one.
    possible : bool
        Whether a whole Hessian may come later.
    block_rows : int
        Rows for the `mean_block` of the scores' Hessians, where there are several and that may take the place of one; 0
        elsewhere.
    block_cost : float
        What it costs, in passes over the data.
    """

    def __init__(self, n: int, d: int, p: int, itemsize: int, is_quadratic: bool = False, n_scores: int = 1) -> None:
        self.rows = min(n, max(_ROWS_A_PARAMETER * p, _ROWS))
        pass_seconds = max(n * d * itemsize / _READ, 2 * n * p / _MULTIPLY)
        row_cost = p * (p + _NARROW) / _HESSIAN / pass_seconds
        self._row_cost, self._factor_cost = row_cost, float(p) ** 3 / _FACTOR / pass_seconds
        self.whole = p <= _MOST_PARAMETERS and self.cost(self.rows) <= _CHEAP
        self.possible = p <= _MOST_PARAMETERS
        self.block_rows, self.block_cost = 0, 0.0
        size = p // n_scores
        if n_scores > 1 and not self.possible and size <= _MOST_PARAMETERS:
            self.block_rows = min(n, max(_ROWS_A_PARAMETER * size, _ROWS))
            made = self.block_rows * (size * (size + _NARROW) / _HESSIAN + p / _SCORES) + float(size) ** 3 / _FACTOR
            self.block_cost = made / pass_seconds
        if is_quadratic and self.possible and self.cost(n) <= _CHEAP:
            self.whole, self.rows, self.hessian_rows = True, n, n
            return
        affordable = int(_WORTH / row_cost)
        self.hessian_rows = min(n, max(self.rows, min(affordable, n // _SHARE, _ENOUGH * p)))
        if 2 * self.rows > n:
            self.rows = n
        if 2 * self.hessian_rows > n:
            self.hessian_rows = n if n * row_cost <= 2 * _WORTH or self.rows == n else self.rows

    def cost(self, rows: int) -> float:
        """Return what the Hessian of so many rows and its factor cost, in passes over the data."""
        return rows * self._row_cost + self._factor_cost
