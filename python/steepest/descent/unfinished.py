"""The sentence about a run that ended before it converged, though nothing else went wrong."""

from __future__ import annotations

from ..optimizers.runner import StopReason
from .sparse_cost import cost_of_steps
from .symptoms import Symptoms

__all__ = ["not_converged"]

# What ended a run, of its largest and its last number of epochs.
_ENDED: dict[str, str] = {
    StopReason.MAX_EPOCHS: "the run used all its epochs ({0})",
    StopReason.MAX_SECONDS: "the run used all its seconds, in epoch {1}",
    StopReason.CALLBACK: "a callback ended the run in epoch {1}",
    StopReason.INTERRUPTED: "Ctrl-C ended the run in epoch {1}",
}


def not_converged(s: Symptoms) -> str:
    """Return the sentence; empty during a run, and for a run that converged."""
    if s.reason == StopReason.PRECISION and s.rules:
        return f"not converged: the arithmetic allows no lower value, but {_judged(s)}"
    ended = _ENDED.get(s.reason or "")
    if ended is None:
        return ""
    cost = cost_of_steps(s)
    return f"not converged: {ended.format(s.max_epochs, s.epochs[-1])}; {_judged(s)}" + (cost and f"; {cost}")


def _judged(s: Symptoms) -> str:
    """Say how far the run is from what its rules of `stop` ask for."""
    norm = s.gradient_norms[-1]
    if s.tol is not None and norm > s.tol:
        return f"the {s.norm_name} is {norm:.3g}, and the tolerance is {s.tol:.3g}"
    if s.rules:
        return f"{' and '.join(s.rules)} did not end it"
    return f"no tolerance judged it: the gradient norm is {norm:.3g}; stop=st.stop.GradientNorm(...) sets one"
