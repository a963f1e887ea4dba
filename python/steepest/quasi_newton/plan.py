"""The cost model of QuasiNewton: the shape of a problem determines the sample and the kind of Hessian."""

from __future__ import annotations

import math

from ..objectives.data import DataObjective
from ..objectives.protocol import Capability

__all__ = ["SamplePlan"]

_ROWS = 10_000
_ROWS_A_PARAMETER = 10
_MOST_PARAMETERS = 4096  # for a full Hessian
# Rough speeds of two cores, per second: bytes that a pass reads; multiply-adds of a pass, of the Hessian (counted as
# n p (p + 20)) and of a factorisation in float64 (p^3). Only their ratios matter.
_READ, _MULTIPLY, _HESSIAN, _FACTOR = 22e9, 60e9, 140e9, 60e9
_ENTRIES = 1e9  # entries of sparse rows in a pass, for each score
_STEP = 5e-4  # seconds of a step in Python over sparse rows and on a device
_STEP_ALONE = 5e-5  # seconds of a step in Python apart from its pass, which decide where there is little data
_READ_ON_DEVICE = 3e12  # bytes that a pass reads on a device, whose Hessians are made on the host
_FREQUENT = 1.0 / 3.0  # a share s of the columns, the most frequent, has a share of s^_FREQUENT of the entries
_LOOKED_AT, _ENTRIES_A_PAIR = 3e7, 4.0  # entries that NumPy looks at; so many pairs of them cost as much as one
_SIZES = 256, 1024, 2048  # columns of a block
_SCORES = 3e9  # multiply-adds of np.einsum; NumPy's faster products have bits that depend on its threads
_NARROW = 20  # cost of a row of the Hessian apart from its products, in columns
# Passes that a full Hessian of the first sample may cost. A quadratic's Hessian of all rows may cost as many: the first
# step with it is the last.
_CHEAP = 4.0
_SHARE = 20  # a larger sample copies at most 1/20 of the rows
_ENOUGH = 1000  # rows per parameter, at most, of a larger sample
_WORTH = 1.5  # passes that a larger sample may cost
_OF_NOISE = 0.1  # of the difference between a sample and all rows that a descent on the sample ends at
_MOST_UNSURE = 0.2  # p / rows of a Hessian of which the spread of the eigenvalues is told
_CLEARLY_MORE = 1.5  # times the rows of the first sample that the larger one has at least
_MORE_ROWS = 4  # times as many as the last Hessian had
# The same of rows that are read where they lie. A step with the Hessian of m rows leaves about sqrt(p / m) of the
# gradient, and the minimum over these rows is as far from that of all.
_SHARE_IN_PLACE, _ENOUGH_IN_PLACE, _WORTH_IN_PLACE = 6, 3000, 0.4


class SamplePlan:
    """The sizes of QuasiNewton's samples and the kind of its Hessian, from the shape of the problem.

    Nothing is timed, so equal runs have equal bits.

    Parameters
    ----------
    n, d, p : int
        Numbers of rows, columns and parameters.
    itemsize : int
        Bytes of an element of X.
    is_quadratic : bool
        Whether the Hessian is the same everywhere.
    n_scores : int
        Scores per row.
    n_elements : int, optional
        Numbers that a pass reads; by default n d.
    in_place : bool
        Whether the rows of samples are read where they lie, and not copied.
    on_device : bool
        Whether passes run on a CUDA device.
    has_hessian, has_blocks, has_entries : bool
        Whether the data give Hessians of samples, their rows for a `mean_block`, and the entries of sparse rows.

    Attributes
    ----------
    rows : int
        Rows of the first sample, at most n.
    hessian_rows : int
        Rows for a full Hessian.
    whole : bool
        Whether to begin with a full Hessian rather than a diagonal.
    possible : bool
        Whether a full Hessian may come later.
    block_rows : int
        Rows for the `mean_block` of the scores' Hessians. 0 unless there are several scores, a full Hessian is too
        large, and a block is not.
    block_cost : float
        Cost of the `mean_block`, in passes over the data.
    block_sizes : tuple of int
        Numbers of the frequent columns that a `FrequentMetric` may have, which rise.
    """

    def __init__(
        self,
        n: int,
        d: int,
        p: int,
        itemsize: int,
        is_quadratic: bool = False,
        n_scores: int = 1,
        n_elements: int | None = None,
        on_device: bool = False,
        has_hessian: bool = True,
        has_blocks: bool = True,
        has_entries: bool = False,
        in_place: bool = False,
    ) -> None:
        self.rows = min(n, max(_ROWS_A_PARAMETER * p, _ROWS))
        absent = 0 if n_elements is None else n * d - n_elements
        pass_seconds = max((n * d - absent) * itemsize / _READ, 2 * (n * p - absent * n_scores) / _MULTIPLY)
        if has_entries:
            pass_seconds = max(pass_seconds, (n * d - absent) * n_scores / _ENTRIES) + _STEP
        else:
            pass_seconds += _STEP_ALONE
        if on_device:
            pass_seconds = n * d * itemsize / _READ_ON_DEVICE + _STEP
        self._n, self._d, self._row_entries, self._pass_seconds = n, d, (n * d - absent) / n, pass_seconds
        self.block_sizes: tuple[int, ...] = ()
        if has_entries and n_scores == 1:
            self.block_sizes = tuple(size for size in _SIZES if self._solve_cost(size) <= _CHEAP)
        row_cost = p * (p + _NARROW) / _HESSIAN / pass_seconds
        self._row_cost, self._factor_cost = row_cost, float(p) ** 3 / _FACTOR / pass_seconds
        self._in_place, self._p = in_place, p
        self.possible = p <= _MOST_PARAMETERS and has_hessian
        self.whole = self.possible and self.cost(self.rows) <= _CHEAP
        self.block_rows, self.block_cost = 0, 0.0
        size = p // n_scores
        if n_scores > 1 and p > _MOST_PARAMETERS >= size and has_hessian and has_blocks:
            self.block_rows = min(n, max(_ROWS_A_PARAMETER * size, _ROWS))
            made = self.block_rows * (size * (size + _NARROW) / _HESSIAN + p / _SCORES) + float(size) ** 3 / _FACTOR
            self.block_cost = made / pass_seconds
        if is_quadratic and self.possible and self.cost(n) <= _CHEAP:
            self.whole, self.rows, self.hessian_rows = True, n, n
            return
        more = self._rows_of_larger_sample(p)
        self.hessian_rows = more if more >= _CLEARLY_MORE * self.rows else self.rows
        if 2 * self.rows > n:
            self.rows = n
        if 2 * self.hessian_rows > n:
            self.hessian_rows = n if n * row_cost <= 2 * _WORTH or self.rows == n else self.rows

    def _rows_of_larger_sample(self, p: int) -> int:
        n = self._n
        if self._in_place:
            affordable = int(_WORTH_IN_PLACE / (self._row_cost + 1.0 / n))
            return min(affordable, n // _SHARE_IN_PLACE, _ENOUGH_IN_PLACE * p)
        return min(int(_WORTH / self._row_cost), n // _SHARE, _ENOUGH * p)

    def goal(self, least: float) -> float:
        """Return the share of the first gradient that a descent on the first sample ends at.

        The gradient over all rows is about sqrt(p / rows) of it where that of the sample is zero.
        """
        return max(least, _OF_NOISE * math.sqrt(self._p * (1.0 / self.rows - 1.0 / self._n)))

    def factor(self, rows: int) -> float:
        """Return what to multiply the Hessian of so many rows by, so that a step by it goes neither too far nor short.

        Of independent columns, the eigenvalues of its inverse times the Hessian of all rows lie from 1 / (1 + s)^2 to
        1 / (1 - s)^2, with s^2 = p (1 / rows - 1 / n) (Marchenko, Pastur, "Distribution of Eigenvalues for Some Sets of
        Random Matrices", 1967). The factor is their mean.
        """
        square = min(self._p * (1.0 / rows - 1.0 / self._n), _MOST_UNSURE) if rows else 0.0
        return (1.0 + square) / (1.0 - square) ** 2

    def more_rows(self, rows: int) -> int:
        """Return the rows of a Hessian in place of one of so many, which are all where a sample would be a large copy.

        For 0 rows, return those of the first sample.
        """
        more = self.rows if rows == 0 else min(self._n, _MORE_ROWS * rows)
        return self._n if more > self._n // (2 if self._in_place else 8) else more

    @classmethod
    def of(cls, objective: DataObjective) -> SamplePlan:
        """Return the plan for an objective, by its shape and by what its data can do."""
        samples = objective.supports(Capability.SAMPLE)
        return cls(
            objective.n_samples,
            objective.n_features,
            objective.n_parameters,
            objective.dtype.itemsize,
            objective.constant_curvature,
            objective.layout.n_scores,
            n_elements=objective.data.n_elements,
            on_device=getattr(objective.data, "passes_on_device", False),
            has_hessian=samples and objective.supports(Capability.HESSIAN),
            has_blocks=samples and objective.supports(Capability.ROWS),
            has_entries=objective.supports(Capability.ENTRIES),
            in_place=samples and objective.layout.n_scores == 1 and objective.supports(Capability.TWO_POINTS),
        )

    def cost(self, rows: int) -> float:
        """Return the cost of a Hessian of so many rows and of its factorisation, in passes over the data."""
        return rows * self._row_cost + self._factor_cost

    def rows_of_block(self, size: int) -> int:
        """Return the rows for a block of so many frequent columns."""
        return min(self._n, max(_ROWS_A_PARAMETER * size, _ROWS))

    def cost_of_block(self, size: int, rows: int | None = None) -> float:
        """Return the cost of a block of so many columns, by default of `rows_of_block`, in passes over the data."""
        entries = (self.rows_of_block(size) if rows is None else rows) * self._row_entries
        in_block = self._row_entries * min(1.0, size / self._d) ** _FREQUENT
        made: float = entries * (1.0 + 0.5 * in_block / _ENTRIES_A_PAIR) / _LOOKED_AT + float(size) ** 3 / _FACTOR
        return made / self._pass_seconds

    def _solve_cost(self, size: int) -> float:
        return 2.0 * 8.0 * size**2 / _READ / self._pass_seconds
