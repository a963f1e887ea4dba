"""A run under watch: the symptoms that its history shows, looked at as it goes and at its end, and said as warnings."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from ..warnings import DiagnosisWarning, DivergenceWarning, levels_outside
from .diagnosis import Diagnosis, diagnose
from .stopping import GradientNorm
from .symptoms import Symptoms

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Watch"]

_FAR = 1e6  # times the first loss
_FIRST_LOOK = 32  # evaluated epochs; then after twice as many


class Watch:
    """What looks at the history of a run and warns, once of each kind."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._next = _FIRST_LOOK
        self._said: set[str] = set()

    def look(self) -> None:
        """Look at a run that goes on, every so many rows."""
        if self._run.settings.diagnose and len(self._run.rows) >= self._next:
            self._next *= 2
            found = diagnose(self._symptoms(None))
            if not (found.kind == "exploding" and self._run.rows[-1][1] > _FAR * abs(self._run.rows[0][1])):
                self._say(found)  # else it will end as diverged, and be told so then

    def last_look(self, reason: str) -> Diagnosis:
        """Return the diagnosis of a run that has ended."""
        if not (self._run.settings.diagnose and self._run.rows):
            return Diagnosis()
        found = diagnose(self._symptoms(reason))
        self._say(found, reason == "diverged")
        return found

    def _symptoms(self, reason: str | None) -> Symptoms:
        run = self._run
        epochs, losses, norms, rates = np.array([row[:4] for row in run.rows], dtype=np.float64).T
        has_l1 = getattr(run.objective, "alpha", 0.0) * getattr(run.objective, "l1_ratio", 0.0) > 0.0
        tolerances = [rule.tol for rule in run.settings.stop if isinstance(rule, GradientNorm) and rule.tol > 0]
        return Symptoms(
            epochs=epochs.astype(np.int64),
            losses=losses,
            gradient_norms=norms,
            rates=rates,
            reason=reason,
            max_epochs=run.settings.max_epochs,
            tol=max(tolerances, default=None),
            batch_size=run.settings.batch_size,
            objective=run.objective,
            optimizer=run.optimizer,
            start=run.start_w,
            w=run.w,
            constrained=run.settings.constrained or has_l1,
            separation=run.separation,
        )

    def _say(self, found: Diagnosis, diverged: bool = False) -> None:
        if (diverged or found.kind not in self._said) and self._run.supervision.warns:
            self._said.add(found.kind)
            warn(found, diverged)


def warn(found: Diagnosis, diverged: bool) -> None:
    """Warn of a diagnosis, unless it is that of a healthy run, where minimize was called."""
    if found:
        category = DivergenceWarning if diverged else DiagnosisWarning
        warnings.warn(str(found), category, stacklevel=levels_outside())
