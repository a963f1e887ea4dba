"""`Facts`: what parts say of their rows and targets before any pass, so that bad data are refused at once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import dtype_name
from ..arrays.sparse import CSRView

__all__ = ["Facts", "TargetFacts"]

Vector = NDArray[np.float64]
_VALUES = 1024  # different targets that are kept
_VERSION = 1  # of a record
_PER_PART, _SAMPLE = 64, 4096  # targets in the sample: of a part, and at most


@dataclass(frozen=True, eq=False)
class TargetFacts:
    """What is known of targets that are not all at hand.

    Attributes
    ----------
    values : array of float64
        Numbers that stand for all targets in a check: the smallest of the different ones, up to 1,024, the largest one,
        and one that is no integer, if there are such.
    totals : array of float64
        The weights of the rows that have each of these targets, added up.
    sums : array of shape (4,), float64
        The sums of the weights, of the weighted targets, of their weighted squares, and of the squared weights.
    sample, sample_weights : arrays of float64
        Some targets, evenly spaced, and their weights.
    """

    values: Vector
    totals: Vector
    sums: Vector
    sample: Vector
    sample_weights: Vector

    @classmethod
    def of(cls, y: NDArray[Any], weight: NDArray[Any] | None) -> TargetFacts:
        """Return the facts of an array of targets, of shape (n,)."""
        exact = y.astype(np.float64)
        weights = np.ones(len(y)) if weight is None else weight.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            weighted = weights * exact
            sums = np.array([weights.sum(), weighted.sum(), (weighted * exact).sum(), (weights**2).sum()])
        some = slice(None, None, max(1, len(y) // _PER_PART))
        return cls(*_standing_for_all(exact, weights), sums, exact[some], weights[some])

    def with_more(self, other: TargetFacts) -> TargetFacts:
        """Return the facts of these targets and others after them."""
        of_values = _standing_for_all(
            np.concatenate([self.values, other.values]), np.concatenate([self.totals, other.totals])
        )
        sample = np.concatenate([self.sample, other.sample])
        weights = np.concatenate([self.sample_weights, other.sample_weights])
        every = -(-len(sample) // _SAMPLE)
        return TargetFacts(*of_values, self.sums + other.sums, sample[::every], weights[::every])

    def renumbered(self, numbers: NDArray[Any]) -> TargetFacts | None:
        """Return the facts of targets that are codes 0 ... k - 1, once each code is replaced by another one.

        None if there are more codes than the facts have values.
        """
        if len(self.values) != len(numbers):
            return None
        values, totals = np.arange(float(len(numbers))), np.empty(len(numbers))
        totals[numbers] = self.totals
        sums = np.array([self.sums[0], totals @ values, totals @ values**2, self.sums[3]])
        sample = numbers[self.sample.astype(np.intp)].astype(np.float64)
        return TargetFacts(values, totals, sums, sample, self.sample_weights)

    @property
    def mean(self) -> float:
        """The weighted mean of the targets."""
        return float(self.sums[1] / self.sums[0])

    @property
    def deviation(self) -> float:
        """The weighted standard deviation of the targets, as far as sums of squares tell it; nan if these overflow."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.sqrt(np.maximum(self.sums[2] / self.sums[0] - np.square(self.mean), 0.0)))


def _standing_for_all(targets: Vector, weights: Vector) -> tuple[Vector, Vector]:
    """Return those of some numbers that a check of targets must see, each once, and their weights, added up."""
    values, places = np.unique(targets, return_inverse=True)
    totals = np.bincount(places, weights, minlength=len(values)).astype(np.float64)
    if len(values) > _VALUES + 2:
        broken = np.flatnonzero(values != np.floor(values))[:1]
        kept = np.unique(np.concatenate([np.arange(_VALUES), [len(values) - 1], broken]))
        values, totals = values[kept], totals[kept]
    return values, totals


@dataclass(frozen=True, eq=False)
class Facts:
    """The facts of parts.

    Attributes
    ----------
    sizes : tuple of int
        The rows of each part, in order.
    n_features, n_elements : int
        Number of columns, and of the numbers that a pass reads: of sparse rows the entries.
    storage : str
        The dtype of X, by name.
    is_sparse, has_weights : bool
        Whether the rows are sparse, and whether they have weights.
    least_weight : float
        The smallest weight above 0; 1 without weights.
    targets : TargetFacts
        Those of the targets.
    """

    sizes: tuple[int, ...]
    n_features: int
    n_elements: int
    storage: str
    is_sparse: bool
    has_weights: bool
    least_weight: float
    targets: TargetFacts

    @classmethod
    def of(cls, X: NDArray[Any] | CSRView, y: NDArray[Any], weight: NDArray[Any] | None) -> Facts:
        """Return the facts of one part, whose arrays are checked."""
        least = 1.0 if weight is None else float(np.min(weight, where=weight > 0, initial=np.inf))
        return cls(
            (len(y),),
            int(X.shape[1]),
            int(X.size),
            dtype_name(X.dtype),
            isinstance(X, CSRView),
            weight is not None,
            least,
            TargetFacts.of(y, weight),
        )

    def with_more(self, other: Facts) -> Facts:
        """Return the facts of these parts and others after them.

        Raises
        ------
        ValueError
            The parts are not alike.
        """
        for name, what in _ALIKE.items():
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(f"parts must {what}, got {mine} and {theirs}")
        return Facts(
            self.sizes + other.sizes,
            self.n_features,
            self.n_elements + other.n_elements,
            self.storage,
            self.is_sparse,
            self.has_weights,
            min(self.least_weight, other.least_weight),
            self.targets.with_more(other.targets),
        )

    def record(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        targets = {each.name: getattr(self.targets, each.name).tolist() for each in fields(TargetFacts)}
        return (
            {"version": _VERSION}
            | {each.name: getattr(self, each.name) for each in fields(self)}
            | {"targets": targets}
        )

    @classmethod
    def of_record(cls, record: dict[str, Any] | None) -> Facts | None:
        """Return the facts of a `record`. None if there is none, or one of another version."""
        if record is None or record.get("version") != _VERSION:
            return None
        found = {each.name: record[each.name] for each in fields(cls)}
        found["sizes"] = tuple(record["sizes"])
        found["targets"] = TargetFacts(**{name: np.array(each) for name, each in record["targets"].items()})
        return cls(**found)

    @property
    def starts(self) -> NDArray[np.int64]:
        """The number of each part's first row, and that of all rows."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return sum(self.sizes)

    @property
    def weight_sum(self) -> float:
        """The sum of the weights."""
        return float(self.targets.sums[0])


_ALIKE = {
    "n_features": "have the same number of columns",
    "storage": "have the same dtype of X",
    "is_sparse": "all be sparse or none",
    "has_weights": "all have weights or none",
}
