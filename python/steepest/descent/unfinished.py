"""The sentence about a run that ended before it converged, though nothing else went wrong."""

from __future__ import annotations

from ..optimizers.runner import StopReason
from .sparse_cost import cost_of_steps
from .symptoms import Symptoms

__all__ = ["not_converged"]


def not_converged(s: Symptoms) -> str:
    """Return the sentence; empty during a run, and for a run that converged."""
    ended = {
        StopReason.MAX_EPOCHS: f"the run used all its epochs ({s.max_epochs})",
        StopReason.MAX_SECONDS: f"the run used all its seconds, in epoch {s.epochs[-1]}",
        StopReason.CALLBACK: f"a callback ended the run in epoch {s.epochs[-1]}",
        StopReason.INTERRUPTED: f"Ctrl-C ended the run in epoch {s.epochs[-1]}",
    }
    if s.reason == StopReason.PRECISION and s.rules:
        return f"not converged: the arithmetic allows no lower value, but {_judged(s)}"
    if s.reason not in ended:
        return ""
    cost = cost_of_steps(s)
    return f"not converged: {ended[StopReason(s.reason)]}; {_judged(s)}" + (cost and f"; {cost}")


def _judged(s: Symptoms) -> str:
    """Say how far the run is from what its rules of `stop` ask for."""
    norm = s.gradient_norms[-1]
    if s.tol is not None and norm > s.tol:
        return f"the {s.norm_name} is {norm:.3g}, and the tolerance is {s.tol:.3g}"
    if s.rules:
        return f"{' and '.join(s.rules)} did not end it"
    return f"no tolerance judged it: the gradient norm is {norm:.3g}; stop=st.stop.GradientNorm(...) sets one"
