"""The state of QuasiNewton's runner for a checkpoint: points, metrics and pairs by name."""

from __future__ import annotations

from typing import Any

from .active import ActiveMetric
from .frequent import FrequentMetric
from .lbfgs import LBFGSHistory
from .line_search import Iterate
from .metric import BlockMetric, DenseMetric, DiagonalMetric

__all__ = ["history_from", "iterate_from", "of", "state_of_history", "state_of_iterate"]

_METRICS = {kind.__name__: kind for kind in (ActiveMetric, BlockMetric, DenseMetric, DiagonalMetric, FrequentMetric)}


def of(state: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the items of a part of a state, by the names that they have there."""
    return {key.removeprefix(f"{name}."): each for key, each in state.items() if key.startswith(f"{name}.")}


def _named(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}.{key}": each for key, each in state.items()}


def state_of_iterate(name: str, iterate: Iterate | None) -> dict[str, Any]:
    """Return a point with its value and its gradient, each under a name that begins with ``name``."""
    return {} if iterate is None else _named(name, dict(vars(iterate)))


def iterate_from(name: str, state: dict[str, Any]) -> Iterate | None:
    """Return the point of a name in a state, or None."""
    own = of(state, name)
    return Iterate(**own) if own else None


def state_of_history(history: LBFGSHistory) -> dict[str, Any]:
    """Return the metric and the pairs of a history."""
    kind = type(history.metric).__name__
    return {"kind": kind, **_named("metric", history.metric.state()), **_named("pairs", history.state())}


def history_from(state: dict[str, Any]) -> LBFGSHistory:
    """Return the history of a state. The metric is factorised again, with the same bits."""
    kind: Any = _METRICS[state["kind"]]
    history = LBFGSHistory(kind(**of(state, "metric")))
    history.resume(of(state, "pairs"))
    return history
