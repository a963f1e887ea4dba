"""`Data`: all that objectives and methods need of rows. A new kind of data implements it, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..parts.facts import TargetFacts
from .protocol import Capability

__all__ = ["Data", "Entries", "Terms"]

Vector = NDArray[np.float64]
_NONE: Mapping[str, float] = MappingProxyType({})


class Terms(NamedTuple):
    """All that an objective adds to its data: the loss and its parameters, the penalty, and the columns' scaling.

    Attributes
    ----------
    loss : str
        The name of the loss.
    l1, l2 : float
        Factors of the L1 norm and of half the squared norm.
    n_scores : int
        Scores per row.
    loss_parameters : mapping
        The parameters of the loss, by name.
    scaling : pair of arrays, or None
        Centre and scale of the columns.
    constant : float
        A number that is added to the mean loss.
    penalty_weight : array of shape (n_features,), or None
        Factors of the columns' penalties. Infinity: the column is left out.
    row_offsets : array, or None
        Of each row that the targets number, the offsets of its scores, then its label: see `numbered`.
    """

    loss: str
    intercept: bool
    l1: float = 0.0
    l2: float = 0.0
    n_scores: int = 1
    loss_parameters: Mapping[str, float] = _NONE
    scaling: tuple[Vector, Vector] | None = None
    constant: float = 0.0
    penalty_weight: Vector | None = None
    row_offsets: NDArray[Any] | None = None


class Entries(NamedTuple):
    """The numbers that sparse rows have, one by one: arrays of one length.

    Attributes
    ----------
    rows : array of int
        The places of their rows among those that were asked for, in order.
    columns : array of int64
        Their columns, in any order. A row may have a column twice; its numbers then add up.
    values : array of float64
        The numbers.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.int64]
    values: Vector

    def of(self, chosen: NDArray[np.intp], n_features: int) -> Entries:
        """Return those of some columns, which are then numbered as they are chosen."""
        number = np.full(n_features, -1)
        number[chosen] = np.arange(len(chosen))
        columns = number[self.columns]
        kept = columns >= 0
        return Entries(self.rows[kept], columns[kept], self.values[kept])


class Data(Protocol):
    """Rows with targets and weights, whatever holds them: arrays, a device, later sparse rows, streams or workers.

    All data have the attributes below and the methods `supports`, `check_targets` and `bind`. Which others they have,
    they say themselves. A caller asks first, and takes a path that needs less where the answer is no. The data answer
    for the first seven capabilities, and the native objective that they bind for the others:

    ===================  ==============================================================================================
    "rows"               "targets", and `rows`, `largest`, `in_units`, `of_columns`: blocks of rows, dense. Without it,
                         nothing looks at single rows: not for extreme units, made columns or separable classes
    "targets"            ``targets`` and ``weights`` are NumPy arrays, and `with_targets`. Without it, the data have
                         ``target_facts`` or none, and what needs all targets is left out
    "steps"              `bind` returns an objective of ``_core`` or ``_cuda``, whose loop takes the steps of a run.
                         Without it, a loop in Python takes them
    "column_ranges"      `column_ranges`. Without it, nothing looks for a single column that separates classes
    "entries"            ``entries(index)``: the numbers of some sparse rows, as `Entries`. Without it, `QuasiNewton`
                         takes no block of the Hessian of wide rows, and, without "rows" too, nothing looks for columns
                         that separate classes
    "fewer_columns"      ``used_columns(most)``: the columns that have entries, in order, or None if they are more than
                         so many; ``in_columns(columns)``: the same rows with these alone, numbered anew. Without it,
                         `QuasiNewton` keeps vectors of all columns
    "columns"            ``copy_columns(columns, out)``: copies of some columns, by uint32 numbers, in the rows of a
                         float64 array; 0 in a row of weight 0. ``combined_rows(r)``: for r of shape (m, n_samples),
                         the m sums of all rows times their factors, from one pass, or None where m passes are as
                         fast. Without it, L1 over wide data has no working sets
    "digests"            `digests`. Without it, a run over the data has no checkpoint
    "batches"            `taken`, `bind_some`, `with_weights`, and mini-batches in the native loop
    "buffers"            `prepared`, and parts that are read one after the other: mini-batches come from some at a time
    "sample"             `taken`, `bind_some`, of data without "batches". Without both, `QuasiNewton` begins with all
                         rows
    "column_statistics"  `column_statistics`. `QuasiNewton` needs them, for far columns and for its diagonal
    "hessian"            Hessians of the native objective. Without it, `QuasiNewton` keeps to its diagonal
    ===================  ==============================================================================================

    Attributes
    ----------
    X, targets, weights : any
        The rows as they are held, their targets, and their weights or None.
    n_samples, n_features : int
        Numbers of rows and columns.
    n_elements : int
        Numbers that a pass reads, and so what it costs: all of a dense X, the non-zeros of a sparse one.
    storage : str
        The dtype of X, by name.
    dtype : numpy.dtype
        The dtype of parameters and results.
    weight_sum, least_weight : float
        The sum of the weights of the rows, and the smallest one above 0.
    device : int or None
        The number of the CUDA device that holds the rows, or None.
    target_facts : TargetFacts or None
        What is known of targets that are not at hand. With it, `shifted`.
    """

    @property
    def X(self) -> Any: ...
    @property
    def targets(self) -> Any: ...
    @property
    def weights(self) -> Any: ...
    @property
    def n_samples(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_elements(self) -> int: ...
    @property
    def storage(self) -> str: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def weight_sum(self) -> float: ...
    @property
    def least_weight(self) -> float: ...
    @property
    def device(self) -> int | None: ...
    @property
    def target_facts(self) -> TargetFacts | None: ...

    def supports(self, capability: Capability) -> bool:
        """Return whether the data have a capability of the list above."""
        ...

    def check_targets(self, check: Callable[[Any], None]) -> None:
        """Call the check of a loss with the targets; with those of each part, if there are parts."""
        ...

    def bind(self, terms: Terms) -> Any:
        """Return the native objective of these data.

        It has the methods ``supports(capability)``, ``value(w)``, ``value_and_gradient(w)``, ``gradient_norm(w,
        gradient)``, ``hessian_product(w, v)``, and, if it supports "hessian", ``hessian(w)`` and
        ``value_gradient_and_hessian(w)``.
        """
        ...

    def column_statistics(self) -> tuple[Vector, Vector]:
        """Return the weighted mean and the standard deviation of each column, as it is held."""
        ...

    def column_ranges(self, some: NDArray[np.bool_]) -> tuple[Vector, Vector]:
        """Return the smallest and the largest number of each column in some rows; infinity and -infinity for no row."""
        ...

    def digests(self) -> dict[str, str]:
        """Return a digest of each of the things that the rows consist of, by name. Rows of equal digests are equal."""
        ...

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> Data:
        """Return a copy of some rows. Their weight_sum is the sum of their weights if no other is given."""
        ...

    def bind_some(self, index: NDArray[Any], weight_sum: float, terms: Terms) -> Any:
        """Return the native objective of some rows, in the order of their numbers, over a weight_sum.

        Rows that lie whole in memory are read where they lie. Others are `taken`.
        """
        ...

    def rows(self, index: Any) -> NDArray[Any]:
        """Return some rows as a dense array, in a dtype that NumPy computes with: no copy if there need be none.

        The index is a slice, row numbers or an array of bool.
        """
        ...

    def largest(self) -> Vector:
        """Return the largest magnitude of each column, over the rows of positive weight."""
        ...

    def with_targets(self, targets: NDArray[Any]) -> Data:
        """Return the same rows with other targets."""
        ...

    def shifted(self, target: float) -> Data:
        """Return the same rows, with a number subtracted from the targets."""
        ...

    def with_weights(self, weights: NDArray[Any], weight_sum: float) -> Data:
        """Return the same rows with other weights, and the number to divide by."""
        ...

    def of_columns(self, columns: NDArray[np.intp]) -> Data:
        """Return a copy of some columns, numbered anew."""
        ...

    def in_units(self, exponents: NDArray[np.int64]) -> Data:
        """Return a copy with each column divided by 2 to the power of its exponent."""
        ...
