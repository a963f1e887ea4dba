"""`ChunkRunner`: the mini-batch steps of an optimizer over chunks of rows, which come one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Optimizer
from .runner import Evaluation, Runner, StepPlan, Steps
from .runners import DESCENTS

__all__ = ["ChunkRunner"]


class ChunkRunner(Runner):
    """A runner of mini-batch steps over a chunk, which leaves the next chunk all that its steps need.

    Unshuffled steps over several chunks have the bits of the steps over all their rows. Three things ensure this. A
    chunk with the rows of one batch is a batch like any other. Weights are not divided by their mean over the chunk.
    Steps that some parameters of sparse rows still miss at the end of a chunk stay due.

    Parameters
    ----------
    native : native objective
        The loss over the rows of the chunk.
    optimizer : Optimizer
        Its state and its number of steps go on.
    w : array of shape (n_parameters,)
        The parameters, which the steps change in place. If ``behind`` is given, it has to be the array of that descent.
    plan : StepPlan
        The batch size, of at least 1, and the order of the rows.
    behind : native descent, optional
        The descent over the last chunk, if its parameters miss steps.

    Attributes
    ----------
    parameters : array of shape (n_parameters,)
        A copy of w that misses no steps.
    """

    def __init__(self, native: Any, optimizer: Optimizer, w: NDArray[Any], plan: StepPlan, behind: Any = None) -> None:
        self.parameters = w.copy()
        order = (plan.batch_size, plan.shuffle, plan.seed)
        if behind is not None:
            behind.go_on_over(native, *order, 1.0)
            self.descent = behind
            return
        state = optimizer.state_for(w)
        optimizer.adopt(state)
        self.descent = DESCENTS[type(native)](
            native, optimizer.rule, w, state, optimizer.n_steps, *order, None, mean_weight=1.0
        )

    @property
    def n_steps(self) -> int:
        return int(self.descent.n_steps)

    def evaluate(self) -> Evaluation:
        return Evaluation(*self.descent.evaluate_copy(self.parameters))

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        return Steps(*self.descent.run(learning_rates, seconds, path))

    def fetch(self) -> None:
        self.descent.copy_settled(self.parameters, ())

    def restore(self) -> None:
        self.descent.restore()
        self.fetch()
