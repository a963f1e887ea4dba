"""The input and the output of a fit: rows with their weights, and parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import Features, taken
from .offsets import row_offsets

__all__ = ["Parameters", "Rows"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Data for an objective. All arrays have one dtype.

    Attributes
    ----------
    X : array of shape (n, n_features), C- or F-contiguous, the view of a CSR matrix, or a table
    y : array of shape (n,)
    sample_weight : array of shape (n,) or None
        The weights from the user, with 0 for rows that are held out.
    loss_weight : array of shape (n,) or None
        The sample weights times the weights of the classes.
    offset : array of shape (n,), or (n, k) of several scores a row, or None
        The offsets of the scores.
    """

    X: Features
    y: Array
    sample_weight: Array | None
    loss_weight: Array | None
    offset: Array | None = None

    def __len__(self) -> int:
        return len(self.y)

    def total(self) -> float:
        """Return the sum of the weights of the losses."""
        return float(len(self.y)) if self.loss_weight is None else float(self.loss_weight.sum(dtype=np.float64))

    def with_offset(self, offset: Any, name: str, of_residuals: bool, n_scores: int) -> Rows:
        """Return the rows with checked offsets. For a loss of residuals, they are subtracted from the targets."""
        if not of_residuals:
            return dataclasses.replace(self, offset=row_offsets(offset, len(self), self.y.dtype, name, n_scores))
        exact = row_offsets(offset, len(self), np.dtype(np.float64), name)
        with np.errstate(over="ignore"):
            targets = (self.y - exact).astype(self.y.dtype)
        finite = np.isfinite(targets)
        if not finite.all():
            at = int(np.argmin(finite))
            raise ValueError(f"{name} must leave y - offset within {self.y.dtype}, got {exact[at]:g} at index {at}")
        return dataclasses.replace(self, y=targets)

    def hold_out(self, fraction: float, stratify: bool, random: Any) -> tuple[Rows, Rows]:
        """Return the rows to train on, and the rows held out.

        The rows to train on are all rows, with weight 0 for those held out; X is not copied. The rows held out are
        copies. Rows of weight 0 are never held out.
        """
        weight = np.ones_like(self.y) if self.sample_weight is None else self.sample_weight
        candidates = np.flatnonzero(weight > 0)
        labels = self.y[candidates] if stratify else np.zeros(len(candidates))
        held = np.sort(candidates[_chosen(labels, fraction, random)])
        kept = np.ones_like(self.y)
        kept[held] = 0
        loss_weight = weight if self.loss_weight is None else self.loss_weight
        training = Rows(self.X, self.y, weight * kept, loss_weight * kept, self.offset)
        offset = None if self.offset is None else self.offset[held]
        return training, Rows(taken(self.X, held), self.y[held], weight[held], loss_weight[held], offset)


def _chosen(labels: Array, fraction: float, random: Any) -> NDArray[np.intp]:
    """Return indices of a random fraction of each label's rows: never all of a label, and at least one in total."""
    members = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    members.sort(key=len, reverse=True)
    sizes = [min(round(fraction * len(each)), len(each) - 1) for each in members]
    sizes[0] = max(sizes[0], 1)
    if sizes[0] == len(members[0]):
        raise ValueError(f"early_stopping holds out rows: expected at least two of a class, got {len(labels)} row(s)")
    return np.concatenate([each[:size] for each, size in zip(members, sizes, strict=True)])


@dataclass(frozen=True)
class Parameters:
    """Coefficients of shape (k, n_features) and k intercepts in the original units, float64."""

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
