"""QuasiNewton: gradient descent in coordinates where the condition number is near 1, from the curvature of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.protocol import Capability, missing, supports
from ..optimizers.runner import Runner, StepPlan
from .runner import QuasiNewtonRunner

__all__ = ["QuasiNewton"]


class QuasiNewton:
    """Quasi-Newton descent over all rows, for the convex losses of data.

    The Hessian of a random sample of the rows, or its diagonal where that is cheaper, makes coordinates in which the
    condition number is near 1; limited-memory BFGS does the rest (Nocedal 1980; Byrd, Chin, Neveitt, Nocedal 2011 for
    curvature from a sample). Classes whose parameters are too many for a Hessian share the mean of its blocks, where
    the columns are correlated. With an L1 penalty, proximal Newton steps take the place of these (Lee, Sun, Saunders
    2014), or an orthant-wise method with a diagonal (Andrew, Gao 2007). What is done follows from the shape of the
    data and from the progress made, never from time, and nothing is left to chance: a run has the same bits every
    time.

    It has no ``step`` of its own, as it looks at whole objectives; give it to `minimize`, whose default it is for
    whole-data runs of `LeastSquares`, `Logistic` and `Softmax` without a constraint. An iteration is an epoch of one or
    a few passes.

    Columns that lie more than 30 deviations from zero are centred inside, where the objective has an intercept and no
    centre of its own. The gradient's norm in the history and in the stopping rules is then that of centred columns.
    Targets of least squares that lie so far from zero are centred too, in a copy.
    Without a penalty, columns of extreme units are rescaled inside; so are all columns of up to 65,536 numbers, in a
    copy. The norm stays in the units of the columns.
    """

    scales_coordinates = True
    is_auto = False

    def __init__(self) -> None:
        self.n_steps = 0

    def rates(self, first: int, n: int) -> NDArray[np.float64]:
        """Return ones: its steps have the length that they need."""
        return np.ones(n)

    def reset(self) -> None:
        """Forget the steps taken."""
        self.n_steps = 0

    def largest_stable_rate(self, eigenvalue_max: float) -> None:
        """Return None: there is no learning rate."""

    def check(self, objective: Any, batch_size: Any, constraint: Any) -> None:
        """Check that the optimizer goes with an objective and the options of a run."""
        other = "use another optimizer, such as st.Adam()"
        if not supports(objective, Capability.SAMPLE):
            raise missing(objective, Capability.SAMPLE, "optimizer=st.QuasiNewton()", other)
        if batch_size is not None:
            raise ValueError(
                f"batch_size must be None for st.QuasiNewton, which takes all rows, got {batch_size!r}; {other}"
            )
        if constraint is not None:
            raise ValueError(f"constraint must be None for st.QuasiNewton, got {constraint!r}; {other}")

    def runner(self, objective: Any, w: NDArray[Any], plan: StepPlan) -> Runner:
        """Return what takes the iterations of a run from w, which it changes."""
        return QuasiNewtonRunner(objective, w, self.n_steps)

    def state_dict(self) -> dict[str, Any]:
        """Return name and n_steps; nothing else goes on to another run."""
        return {"name": "QuasiNewton", "n_steps": self.n_steps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the n_steps of a `state_dict`."""
        if state_dict.get("name") != "QuasiNewton":
            raise ValueError(f"state_dict must be of QuasiNewton, got one of {state_dict.get('name')!r}")
        self.n_steps = int(state_dict["n_steps"])

    def __repr__(self) -> str:
        return "QuasiNewton()"
