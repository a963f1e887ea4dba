"""The watch over a run: it diagnoses the run from its history, during the run and at its end, and warns."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.protocol import penalty_of
from ..optimizers.runner import StopReason
from ..warnings import DiagnosisWarning, DivergenceWarning, levels_outside
from .diagnosis import Diagnosis, diagnose
from .record import Record
from .stopping import GradientNorm, OwnNorms
from .symptoms import Symptoms

__all__ = ["Watch"]

History: TypeAlias = dict[str, NDArray[Any]]

_FAR = 1e6  # times the first loss; a loss above it will soon overflow
_FIRST_LOOK = 32  # evaluated epochs before the first diagnosis; the number doubles for each later one


class Watch:
    """Diagnoses a run from its history and warns at most once of each kind of problem."""

    def __init__(self, record: Record, warns: bool) -> None:
        self._record, self._warns = record, warns
        self._next = _FIRST_LOOK
        self._said: set[str] = set()

    def state(self) -> dict[str, Any]:
        """Return what the watch remembers, for a checkpoint."""
        return {"next": self._next, "said": "\n".join(sorted(self._said))}

    def resume(self, state: dict[str, Any]) -> None:
        """Remember what a `state` holds."""
        self._next, self._said = state["next"], set(state["said"].split("\n")) - {""}

    def look(self) -> None:
        """Diagnose a run that is under way, if its history has grown enough since the last diagnosis."""
        if self._record.settings.diagnose and len(self._record.rows) >= self._next:
            self._next *= 2
            found = diagnose(self._symptoms(None, self._record.history()))
            if not (found.kind == "exploding" and self._record.rows[-1].loss > _FAR * abs(self._record.rows[0].loss)):
                self._say(found)  # otherwise the run will soon end as diverged and warn then

    def last_look(self, reason: str, history: History) -> Diagnosis:
        """Return the diagnosis of a run that has ended, with this history, and warn of it."""
        if not (self._record.settings.diagnose and self._record.rows):
            return Diagnosis()
        found = diagnose(self._symptoms(reason, history))
        self._say(found, reason == StopReason.DIVERGED)
        return found

    def _symptoms(self, reason: str | None, history: History) -> Symptoms:
        record, losses, norms = self._record, history["loss"], history["gradient_norm"]
        has_l1 = penalty_of(record.objective).l1 > 0.0
        tolerances = [rule.tol for rule in record.settings.stop if isinstance(rule, GradientNorm) and rule.tol > 0]
        own = next((rule for rule in record.settings.stop if isinstance(rule, OwnNorms)), None)
        known = own is not None and len(own.norms) == len(losses)  # no rule has seen the last norm during a run
        if own is not None and known:
            norms = np.array(own.norms)
        return Symptoms(
            epochs=history["epoch"],
            losses=losses,
            gradient_norms=norms,
            norm_name="gradient norm" if own is None else "scaled gradient norm",
            rates=history["learning_rate"],
            reason=reason,
            max_epochs=record.settings.max_epochs,
            tol=max(tolerances, default=None) if own is None or known else None,
            batch_size=record.settings.batch_size,
            objective=record.objective,
            optimizer=record.optimizer,
            start=record.start_w,
            w=record.w,
            constrained=record.settings.constrained or has_l1,
            separation=record.separation,
            rules=tuple(rule.reason for rule in record.settings.stop),
            projected=record.settings.constrained,
        )

    def _say(self, found: Diagnosis, diverged: bool = False) -> None:
        if (diverged or found.kind not in self._said) and self._warns:
            self._said.add(found.kind)
            warn(found, diverged)


def warn(found: Diagnosis, diverged: bool) -> None:
    """Warn of a diagnosis that names a problem. The warning points at the call of minimize."""
    if found.kind:
        category = DivergenceWarning if diverged else DiagnosisWarning
        warnings.warn(str(found), category, stacklevel=levels_outside())
