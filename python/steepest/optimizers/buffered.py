"""Mini-batches from parts that are read one after the other: some parts at a time are mixed in a buffer.

Xu et al., "In-Database Machine Learning with CorgiPile: Stochastic Gradient Descent without Full Data Shuffle", SIGMOD
2022: blocks in a random order, whose rows are mixed a few blocks at a time, do nearly as well as a shuffle of all rows,
and are read in sequence.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..objectives.parts import PartsData, Reader
from ..objectives.questions import HeldPart, joined_part
from ..streams.buffers import Buffers
from .runner import Evaluation, Runner, StepPlan, Steps
from .runners import NativeRunner, Stepper

__all__ = ["buffered_runner"]


def buffered_runner(objective: Any, optimizer: Stepper, w: NDArray[Any], plan: StepPlan) -> Runner:
    """Return the runner of mini-batches over parts. If a buffer holds all parts, its steps are those over one array."""
    data: PartsData = objective.data
    reader: Any = data.X.reader
    n = len(data.facts.sizes)
    if reader.capacity < n:
        most = reader.capacity * max(data.facts.sizes)
        if plan.batch_size > most:
            raise ValueError(
                f"batch_size must be at most {most:,} for data that are read in parts, the rows that a buffer holds, "
                f"got {plan.batch_size:,}; use batch_size=None, or a larger memory"
            )
        return BufferedRunner(objective, reader, optimizer, w, plan)
    whole = data.prepared(joined_part(list(reader.read(range(n)))))
    return NativeRunner(whole.bind(objective.terms), optimizer, w, plan)


class BufferedRunner(Runner):
    """A runner of mini-batches over parts, of which a buffer holds some.

    An epoch takes the parts in a random order, so many at a time as the buffer holds, and the rows of these in a random
    order. Rows that fill no whole batch wait for the next parts, so that an epoch has as many steps as over one array.
    The orders depend on the seed, the epoch and the sizes of the parts alone.
    """

    def __init__(self, objective: Any, reader: Reader, optimizer: Stepper, w: NDArray[Any], plan: StepPlan) -> None:
        self.parameters = w
        self._objective, self._reader, self._optimizer, self._plan = objective, reader, optimizer, plan
        self._whole = NativeRunner(objective.native, optimizer, w, StepPlan(projection=plan.projection))
        self._epoch, self._at = 0, 0
        self._groups: Iterator[list[HeldPart]] | None = None
        self._waiting: list[HeldPart] = []  # rows of the parts before
        self._part: NativeRunner | None = None
        self._left = 0  # steps that the buffer has left
        self._rows_left = 0  # of the epoch, in the buffer and after it
        facts = objective.data.facts
        most = (reader.capacity * max(facts.sizes) + plan.batch_size) * facts.n_features  # elements of a buffer
        self._empty_rows = functools.partial(Buffers().empty, most=most)

    @property
    def n_steps(self) -> int:
        return self._optimizer.n_steps if self._part is None else self._part.n_steps

    def evaluate(self) -> Evaluation:
        self.fetch()
        return self._whole.evaluate()

    def restore(self) -> None:
        self.fetch()
        self._whole.restore()

    def fetch(self) -> None:
        """Bring the parameters up to date that steps from sparse rows have left out."""
        if self._part is not None:
            self._part.fetch()

    def run(self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None) -> Steps:
        """Take steps from the rows in the buffer. Fill it first if it has no batch left."""
        if self._groups is None:
            self._start_epoch()
        while self._left == 0:
            self._fill()
        assert self._part is not None
        n = min(len(learning_rates), self._left)
        steps = self._part.run(learning_rates[:n], seconds, None if path is None else path[:n])
        self._left -= steps.taken
        ended = not steps.diverged and self._left == 0 and self._rows_left == 0
        if self._left == 0:
            self._empty()
        if ended:
            self._groups, self._epoch = None, self._epoch + 1
        return Steps(steps.taken, ended, steps.diverged)

    def _start_epoch(self) -> None:
        sizes = self._objective.data.facts.sizes
        n, capacity = len(sizes), self._reader.capacity
        order = _core.row_order(n, self._plan.seed, self._epoch) if self._plan.shuffle else np.arange(n)
        parts = iter(self._reader.read(order.tolist()))
        self._groups = (list(itertools.islice(parts, capacity)) for _ in range(0, n, capacity))
        self._at, self._waiting, self._rows_left = 0, [], sum(sizes)

    def _fill(self) -> None:
        """Read the next parts, and make the steps over their rows and those that wait."""
        assert self._groups is not None
        data, size, n = self._objective.data, self._plan.batch_size, self._objective.n_samples
        parts = self._waiting + next(self._groups)
        rows = sum(part.data.n_samples for part in parts)
        last = rows == self._rows_left
        self._left = math.ceil(rows / size) if last else rows // size
        seed = int(np.random.SeedSequence([self._plan.seed, self._epoch, self._at]).generate_state(1, np.uint64)[0])
        taken = rows if last else self._left * size
        joined = joined_part(parts, self._empty_rows)
        order = _core.row_order(rows, seed, 0) if self._plan.shuffle else np.arange(rows)
        self._waiting = [HeldPart(0, *joined.taken(order[taken:]))] if taken < rows else []
        self._rows_left -= taken
        self._at += 1
        if self._left:
            native = data.prepared(joined, data.weight_sum * rows / n).bind(self._objective.terms)
            self._part = NativeRunner(native, self._optimizer, self.parameters, self._plan._replace(seed=seed))

    def _empty(self) -> None:
        """Let go of the buffer, and leave its steps to the optimizer."""
        assert self._part is not None
        self._part.fetch()
        self._optimizer.n_steps = self._part.n_steps
        self._part = None

    def state(self) -> dict[str, Any]:
        """Return what another runner of the same plan needs to go on, between two epochs."""
        self.fetch()
        return {**self._whole.state(), "steps": self._optimizer.n_steps, "buffered_epochs": self._epoch}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from the state of another runner."""
        self._whole.resume(state)
        self._optimizer.n_steps, self._epoch = state["steps"], state["buffered_epochs"]
