"""`QuasiNewton`: descent in coordinates in which the condition number is near 1, from the curvature of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints.sets import Box
from ..objectives.on_host import on_host
from ..objectives.protocol import Capability, missing, supports
from ..optimizers.runner import Runner, StepPlan
from ..working_sets.runner import WorkingSetRunner
from .runner import QuasiNewtonRunner
from .scaled import ScaledNorm, is_judged_scaled

__all__ = ["QuasiNewton", "takes_constraint"]

_ONE = np.ones(1)  # for the one step of each epoch
_ONE.flags.writeable = False


def _positive(objective: Any, constraint: Any) -> NDArray[np.bool_] | None:
    """Return which parameters of a score a constraint keeps at 0 or above; None if it is another constraint."""
    if not isinstance(constraint, Box):
        return None
    d, rest = objective.n_features, int(objective.intercept)
    bounds = constraint.bind("objective", d, d + rest, objective.dtype)
    free = np.isneginf(bounds.lower)
    right = np.isposinf(bounds.upper) & (free | (bounds.lower == 0.0))
    return ~free if right.all() and free[d:].all() else None


def takes_constraint(objective: Any, constraint: Any) -> bool:
    """Return whether QuasiNewton takes a constraint of a loss of data. It takes no box of another shape."""
    try:
        return _positive(objective, constraint) is not None
    except ValueError:  # `minimize` says which shape it expects
        return False


class QuasiNewton:
    """Quasi-Newton descent over all rows, for the convex losses of data.

    The Hessian of a random sample of the rows, or its diagonal if that is cheaper, defines coordinates in which the
    condition number is near 1. Limited-memory BFGS learns the rest from the steps. If the classes of a `Softmax` have
    too many parameters for a Hessian, and the columns are correlated, all classes share the mean of the Hessian's
    blocks. Runs over sparse rows mostly begin with the diagonal. If that is slow and the most frequent columns are
    correlated, these columns get a block of the Hessian of a sample. With an L1 penalty, proximal Newton steps replace
    these steps; with a diagonal, an orthant-wise method does. Over sparse rows, the proximal Newton steps move only the
    parameters that are not 0 or that the gradient pulls from 0, up to 2,048 of them. Every pass checks all others.
    Coefficients that a `Box` keeps at 0 or above take the same kinds of steps, with the bound in the place of the kink.

    With an L1 penalty over wide data, which have more columns than rows or over 4,000 columns, an iteration takes a
    working set of columns instead. It copies them once, minimises over them alone, and then looks at all columns in one
    pass. Such a run knows how far above the minimum it is, at most: `Result.duality_gap`. Sparse data go this way up to
    32,768 rows.

    `QuasiNewton` needs the whole objective, so it has no ``step``. Give it to `minimize`. It is the default there for
    full-batch runs of the losses, such as `LeastSquares` and `Softmax`, without a constraint or with such a `Box`. One
    iteration is one epoch; it takes one or a few passes over the data.

    Raises
    ------
    TypeError, ValueError
        From `minimize`: the objective is not a loss of data, or a batch_size was given, or a constraint other than a
        `Box` whose lower bounds are 0 (or -inf), whose upper bounds are inf, and which leaves an intercept free.
    NotImplementedError
        From `minimize`: the objective lies on a CUDA device and lacks what a run needs. Or it has a column there whose
        root mean square is above 3e144, or below 3e-145 without a penalty.

    Notes
    -----
    The shape of the data and the progress of the run decide what is done. Time decides nothing, and the sample is the
    same in every run, so equal runs have equal bits.

    Columns that lie more than 30 deviations from zero are centred internally if the objective has an intercept and no
    centre. The gradient norm in the history and in the stopping rules then refers to the centred columns. Targets of
    least squares or of `Huber` that lie so far from zero are centred too, in a copy. Without a penalty, columns in
    extreme units are rescaled internally. So are all columns if X has at most 65,536 elements, in a copy. The gradient
    norm keeps the units of the columns. Over sparse rows and tables, callbacks also get a norm in which rare columns
    count as all others: ``Progress.scaled_gradient_norm``.

    Where sparse rows leave most of many columns without entries, a run keeps parameters of the other columns alone. It
    then copies the indices of X, in 4 bytes each. It does so only if its vectors of all columns would take more memory,
    and if w0 is 0 in every column without entries.

    Over data on a CUDA device, passes run there, and the rest of a run on the host. Dense rows of a sample are copied
    to the host for their Hessian. Over sparse rows, a run keeps to the diagonal. For that, the host takes the
    statistics of the columns from a copy of X, which is dropped afterwards.

    Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", Mathematics of Computation 35, 1980. Byrd, Chin,
    Neveitt, Nocedal, "On the Use of Stochastic Hessian Information in Optimization Methods for Machine Learning", SIAM
    Journal on Optimization 21, 2011. Lee, Sun, Saunders, "Proximal Newton-Type Methods for Minimizing Composite
    Functions", SIAM Journal on Optimization 24, 2014. Andrew, Gao, "Scalable Training of L1-Regularized Log-Linear
    Models", ICML 2007.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]), np.array([3.0, 6.0, 7.0, 10.0])
    >>> result = st.minimize(st.LeastSquares(X, y), optimizer=st.QuasiNewton())
    >>> result.w.round(6), result.converged
    (array([2., 1., 1.]), True)
    """

    scales_coordinates = True
    is_auto = False

    def __init__(self) -> None:
        self.n_steps = 0

    def rates(self, first: int, n: int) -> NDArray[np.float64]:
        """Return ones: the line search determines the length of each step."""
        return _ONE if n == 1 else np.ones(n)

    def reset(self) -> None:
        """Set the count of steps to 0."""
        self.n_steps = 0

    def largest_stable_rate(self, eigenvalue_max: float) -> None:
        """Return None: QuasiNewton has no learning rate."""

    def check(self, objective: Any, batch_size: Any, constraint: Any) -> None:
        """Check that QuasiNewton can minimise this objective with these options of a run."""
        other = "use another optimizer, such as st.Adam()"
        if not supports(objective, Capability.COLUMN_STATISTICS):
            raise missing(objective, Capability.COLUMN_STATISTICS, "optimizer=st.QuasiNewton()", other)
        if batch_size is not None:
            raise ValueError(
                f"batch_size must be None for st.QuasiNewton, which uses all rows, got {batch_size!r}; {other}"
            )
        if constraint is not None and _positive(objective, constraint) is None:
            raise ValueError(
                "constraint must be None or a st.Box of bounds 0 and infinity, of coefficients alone, for "
                f"st.QuasiNewton, got {constraint!r}; {other}"
            )

    def runner(self, objective: Any, w: NDArray[Any], plan: StepPlan) -> Runner:
        """Return the runner that takes the iterations of a run; it changes w in place."""
        objective = on_host(objective)
        bounds: Any = plan.projection
        positive = None if bounds is None else bounds.lower == 0.0
        if WorkingSetRunner.takes(objective):
            scaled = partial(ScaledNorm, positive=positive) if is_judged_scaled(objective) else None
            return WorkingSetRunner(objective, w, self.n_steps, scaled, positive)
        return QuasiNewtonRunner(objective, w, self.n_steps, positive)

    def state_dict(self) -> dict[str, Any]:
        """Return name and n_steps. A run keeps nothing else for the next one."""
        return {"name": "QuasiNewton", "n_steps": self.n_steps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the n_steps of a `state_dict`."""
        if state_dict.get("name") != "QuasiNewton":
            raise ValueError(f"state_dict must be of QuasiNewton, got one from {state_dict.get('name')!r}")
        self.n_steps = int(state_dict["n_steps"])

    def __repr__(self) -> str:
        return "QuasiNewton()"
