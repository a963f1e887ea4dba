"""What a run asks of the one that takes its steps."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Runner"]


class Runner(Protocol):
    """Takes the steps of a run and changes its w in place."""

    @property
    def n_steps(self) -> int: ...

    def evaluate(self) -> tuple[float, float]:
        """Return the objective and the norm of its gradient at w."""
        ...

    def run(
        self, learning_rates: NDArray[np.float64], seconds: float, path: NDArray[Any] | None
    ) -> tuple[int, bool, bool]:
        """Take steps until the rates, the seconds or the epoch end: how many, if the epoch did, if w diverged."""
        ...

    def restore(self) -> None:
        """Put w back to where the objective was last evaluated and finite."""
        ...
