"""Whether a run of QuasiNewton ended at a minimum, or where rounding allowed no further step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from numpy.typing import NDArray

from ..analysis.certain_fall import CertainFall
from ..objectives.conditioned import Coordinates
from ..objectives.data import DataObjective
from ..objectives.rounding import rounding_at
from ..optimizers.runner import StopReason
from .line_search import Iterate

__all__ = ["Judge"]

Zeros: TypeAlias = Callable[[], Iterate]

_ROUGH = 1e3  # times the goal: a gradient that is no smaller was not ended by its rounding
_LOST = 1e-3  # of the objective, by parameters that cannot hold what was found
_LITTLE = 1e-3  # of the variance of targets, where nearly all is explained
_NEAR = 16.0  # times its rounding, a gradient is no larger than many rows make that


class Judge:
    """Judges the points of a run.

    Parameters
    ----------
    given : DataObjective
        The objective of the run.
    objective, coordinates : DataObjective and Coordinates
        What `conditioned` made of it.
    goal : float
        Share of the first gradient's norm that is about its rounding.
    bounded : bool
        Whether parameters have bounds.
    """

    def __init__(
        self,
        given: DataObjective,
        objective: DataObjective,
        coordinates: Coordinates | None,
        goal: float,
        bounded: bool = False,
    ) -> None:
        self._given, self._objective, self._coordinates = given, objective, coordinates
        self._goal, self._bounded = goal, bounded

    def verdict(
        self, reason: str, iterate: Iterate | None, given_w: NDArray[Any], first_norm: float, zeros: Zeros
    ) -> str:
        """Return why the run ended, in the light of where it did: at an iterate, given_w in the given coordinates.

        `zeros` returns the iterate at zeros.
        """
        if iterate is None or reason in (StopReason.INTERRUPTED, StopReason.CALLBACK, StopReason.DIVERGED):
            return reason
        if self._coordinates is not None and not self._holds(iterate, given_w, zeros):
            return StopReason.ROUNDING
        if reason != StopReason.PRECISION:
            return reason
        near = self.is_near(iterate, first_norm, zeros)
        fall = CertainFall.of(self._objective) if near and not self._bounded else None
        falls = fall is not None and fall.is_noticeable(iterate.w, iterate.value)
        return reason if near and not falls else StopReason.ROUNDING

    def is_near(self, iterate: Iterate, first_norm: float, zeros: Zeros) -> bool:
        """Return whether the gradient is about as small as its rounding."""
        if iterate.norm <= _ROUGH * self._goal * first_norm:
            return True
        units = max(_NEAR, self._goal / self._objective.given_eps)
        if iterate.norm <= units * rounding_at(self._objective, iterate.w):
            return True
        return iterate.norm <= _ROUGH * self._goal * zeros().norm

    def _holds(self, iterate: Iterate, given_w: NDArray[Any], zeros: Zeros) -> bool:
        """Return whether the parameters of the raw columns are as good, to the digits that they have.

        Beside targets far from zero the scores of the given rows have no more digits than these: only the parameters
        are looked at, in the inner coordinates.
        """
        assert self._coordinates is not None
        if self._coordinates.target != 0.0:
            value = float(self._objective.native.value(self._coordinates.to_inner(given_w)))
            return value - iterate.value <= _LOST * max(abs(iterate.value), _LITTLE * abs(zeros().value))
        value = float(self._given.native.value(given_w))
        return value - iterate.value <= _LOST * max(abs(iterate.value), abs(zeros().value))
