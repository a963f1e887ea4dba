"""Several starts: a function may have several minima, so `minimize` can run from several points and keep the best."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..constraints.projections import Projection
from ..optimizers.base import Optimizer
from ..optimizers.runner import StopReason
from ..quasi_newton.optimizer import QuasiNewton
from .monitor import warn
from .result import Result, StartError
from .supervision import Supervision, supervised, supervision

__all__ = ["best_of", "points"]

AnyOptimizer: TypeAlias = Optimizer | QuasiNewton


def points(n: int, first: NDArray[Any], projection: Projection | None, seed: int) -> Iterator[NDArray[Any]]:
    """Yield n starts: the first one, then random ones.

    The random starts are normally distributed around the first one, with deviation 1. With a constraint, the projection
    draws them from the set instead: uniformly where the set is bounded.
    """
    yield first.copy()
    random = np.random.default_rng(seed)
    for _ in range(n - 1):
        if projection is None:
            yield (first + random.standard_normal(first.size)).astype(first.dtype)
        else:
            yield projection.spread(first, random)


def best_of(
    starts: Iterator[NDArray[Any]], optimizer: AnyOptimizer, run: Callable[[NDArray[Any], AnyOptimizer], Result]
) -> Result:
    """Run from every start and return the result of lowest value; its ``starts`` holds all results.

    Every run has its own copy of the optimizer. Afterwards the given optimizer takes over the state of the best run.
    """
    results: list[Result] = []
    optimizers: list[AnyOptimizer] = []
    quiet = Supervision(warns=False, cancelled=supervision().cancelled)
    for start in starts:
        optimizers.append(copy.deepcopy(optimizer))
        try:
            with supervised(quiet):
                results.append(run(start, optimizers[-1]))
        except StartError:
            if not results:
                raise
            optimizers.pop()  # the function is not defined at this random start
            continue
        if results[-1].stop_reason == StopReason.INTERRUPTED:
            break
    values = [result.value if math.isfinite(result.value) else math.inf for result in results]
    diverged = [result.stop_reason == StopReason.DIVERGED for result in results]
    index = min(range(len(results)), key=lambda i: (diverged[i], values[i]))
    optimizer.load_state_dict(optimizers[index].state_dict())
    best = copy.copy(results[index])
    best.starts = tuple(results)
    warn(best.diagnosis, diverged[index])
    return best
