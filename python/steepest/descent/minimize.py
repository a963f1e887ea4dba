"""`minimize`: its arguments, checked and made into a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from ..arrays.checks import check_count, check_flag, check_number, check_start, describe
from ..arrays.device import DeviceArray
from ..arrays.hints import hinting
from ..arrays.interop import like
from ..constraints.sets import Constraint, Simplex
from ..objectives.protocol import Capability, Objective, check_objective, device_of_objective, missing, supports
from ..optimizers.base import Optimizer
from ..optimizers.rules import Adam, Momentum
from ..optimizers.runner import StepPlan
from ..quasi_newton.optimizer import QuasiNewton
from .arguments import batches, check_early_stopping, checked_validation, flat_start, seed_of, several
from .feasibility import constraint_for, feasible_start
from .multistart import best_of, points
from .record import Callback, RunSettings
from .result import Result
from .run import Run
from .sharing import optimizer_of_run, settings_of_run
from .stopping import StopRule

__all__ = ["minimize"]

_RATE = "an optimizer that has it, such as optimizer=st.Adam(0.01)"
_TOLERANCE = "stop=st.stop.GradientNorm(...)"
_PENALTY = "the objective's, such as st.LeastSquares(X, y, alpha=...)"
_HINTS = (  # the names of other libraries for what is said otherwise here
    dict.fromkeys(("epochs", "n_epochs", "num_epochs", "max_iter", "maxiter", "n_iter", "nb_epoch"), "max_epochs=...")
    | dict.fromkeys(("iterations", "n_iterations", "max_iterations", "steps", "n_steps"), "max_epochs=...")
    | dict.fromkeys(("lr", "learning_rate", "eta0", "step_size", "rate", "momentum"), _RATE)
    | dict.fromkeys(("tol", "gtol", "ftol", "xtol", "eps", "tolerance"), _TOLERANCE)
    | dict.fromkeys(("patience", "early_stopping", "n_iter_no_change"), "stop=st.stop.NoImprovement(...)")
    | dict.fromkeys(("alpha", "l1_ratio", "weight_decay", "penalty", "C"), _PENALTY)
    | dict.fromkeys(("seed", "rng", "random_seed"), "random_state=...")
    | dict.fromkeys(("x0", "init", "start", "w", "w_init"), "w0=...")
    | dict.fromkeys(("method", "solver", "algorithm"), "optimizer=...")
    | dict.fromkeys(("fun", "loss", "function", "f"), "objective=...")
    | dict.fromkeys(("validation_data", "X_val", "y_val"), "validation=(X_val, y_val)")
    | dict.fromkeys(("bounds", "constraints", "projection"), "constraint=...")
    | {
        "callback": "callbacks=...",
        "verbose": "progress=True",
        "max_time": "max_seconds=...",
        "batch": "batch_size=...",
    }
)


@hinting(**_HINTS)
def minimize(
    objective: Objective,
    w0: Any = None,
    optimizer: Optimizer | QuasiNewton | None = None,
    *,
    constraint: Constraint | None = None,
    batch_size: int | None = None,
    max_epochs: int = 100,
    max_seconds: float | None = None,
    stop: StopRule | Iterable[StopRule] = (),
    validation: Any = None,
    shuffle: bool = True,
    random_state: Any = None,
    callbacks: Callback | Iterable[Callback] = (),
    progress: bool = False,
    record_path: bool = False,
    evaluate_every: int = 1,
    reset: bool = True,
    diagnose: bool = True,
    starts: int | None = None,
) -> Result:
    """Minimise an objective by gradient descent.

    Parameters
    ----------
    objective : LeastSquares, Logistic, Softmax, Function or any other `Objective`
        What to minimise.
    w0 : array of shape (n_parameters,), or that of a Softmax, the dtype of the objective, optional
        Where to start, zeros if not given. It is not changed. The result's w comes in its library (NumPy, torch, ...),
        in that of the objective's X if there is no w0.
    optimizer : optimizer, optional
        The update rule. If not given, QuasiNewton() for whole-data runs of losses of data without a constraint, else
        Adam(), or Momentum("auto") for a Simplex. It holds the state of the run afterwards. Runs at the same time may
        share an optimizer: one of them works on it, the others on copies that are dropped.
    constraint : Box or Simplex, optional
        The set that w is kept in, by projection after every step: of all parameters of a Function, of the coefficients
        of a LeastSquares or Logistic, whose intercept is free as it is not penalised; a Box of numbers, or for one
        class, is that of every class of a Softmax. A w0 must be in the set; without one, the projection of zeros is the
        start. Where it touches the border, the gradient's norm of the history and of the stopping rules leaves out what
        the constraint holds back: see `Box` and `Simplex`.
    batch_size : int, optional
        Rows of a step: None for all (batch descent), 1 for stochastic, more for mini-batch descent. The last batch of
        an epoch has what is left. As many as there are, or more, are all rows. The loop keeps 4 bytes a row of a batch.
    max_epochs : int
        Passes over the data, at least 0.
    max_seconds : float, optional
        Time after which no further step is taken.
    stop : stopping rule or several
        Rules of ``st.stop``, asked after every evaluated epoch; the first to fire ends the run.
    validation : objective or tuple (X, y) or (X, y, sample_weight), optional
        Data whose mean loss, without penalty, is followed; the w of its lowest value is returned.
    shuffle : bool
        Whether every epoch takes the rows in a new random order (without replacement).
    random_state : None, int, SeedSequence or NumPy generator
        Decides the orders; the same number gives the same bits on any number of threads.
    callbacks : callable or several
        Called with a `Progress` after every evaluated epoch, the start included; True ends the run.
    progress : bool
        Whether to show a bar with the loss (needs tqdm).
    record_path : bool
        Whether to keep the parameters after every step.
    evaluate_every : int
        Epochs between two evaluations of the whole objective; batch descent has them for nothing.
    reset : bool
        Whether the optimizer starts afresh; with False it goes on from its state.
    diagnose : bool
        Whether the history is looked at for what ails the run; what is found is warned of, as soon as it shows, and
        what is found at the end stands in the result. False where warnings are errors and a sick run is meant.
    starts : int, optional
        Number of starts, for functions with more than one minimum: w0 and random ones around it (normal with deviation
        1; uniform in a constraint that is bounded). `max_epochs` and `max_seconds` are for each. The run of the lowest
        value is returned, with all of them in its `starts`; random ones where the objective is not finite are left out.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, shape or range; a start where the objective is not finite; a Simplex together
        with an L1 penalty, which is constant there, or with an optimizer that scales each coordinate (AdaGrad, RMSProp,
        Adam), which comes to rest elsewhere than at the optimum.
    NotImplementedError
        A constraint with an objective on a CUDA device.

    Notes
    -----
    A run whose loss is no longer finite ends at once with a `DivergenceWarning`. Ctrl-C ends it within 0.2 s; what was
    reached is returned, with ``stop_reason="interrupted"``.
    """
    check_objective(objective)
    optimizer = _default(objective, batch_size, constraint) if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer | QuasiNewton):
        raise TypeError(f"optimizer must be an optimizer such as st.Adam(), got {describe(optimizer)}")
    optimizer.check(objective, batch_size, constraint)
    w = check_start(flat_start(w0, objective), objective.n_parameters, objective.dtype)
    projection = constraint_for(constraint, objective, optimizer)
    w = feasible_start(projection, objective, w, given=w0 is not None)
    seed = seed_of(random_state)
    rows, steps = batches(objective, batch_size)
    settings = RunSettings(
        batch_size=rows,
        steps_per_epoch=steps,
        max_epochs=check_count("max_epochs", max_epochs, 0),
        max_seconds=math.inf if max_seconds is None else check_number("max_seconds", max_seconds, least=0.0),
        evaluate_every=check_count("evaluate_every", evaluate_every, 1),
        stop=several("stop", stop, StopRule, "rules of st.stop"),
        callbacks=several("callbacks", callbacks, Callable, "callables"),  # type: ignore[arg-type]
        validation=checked_validation(objective, validation),
        diagnose=check_flag("diagnose", diagnose),
        constrained=projection is not None,
        record_path=check_flag("record_path", record_path),
    )
    check_early_stopping(settings)
    plan = StepPlan(rows, check_flag("shuffle", shuffle), seed, projection)
    reset, progress = check_flag("reset", reset), check_flag("progress", progress)

    def run_from(w: NDArray[Any], optimizer: Optimizer | QuasiNewton) -> Result:
        if reset:
            optimizer.reset()
        with settings_of_run(settings) as own:
            run = Run(objective, optimizer, w, own, optimizer.runner(objective, w, plan), progress)
            return _like_start(run.result(), objective, w0)

    if starts is not None:
        check_count("starts", starts, 1)
        if not supports(objective, Capability.STARTS):
            raise missing(objective, Capability.STARTS, "starts", "call minimize for each")
    with optimizer_of_run(optimizer, reset) as own:
        if starts is None:
            return run_from(w, own)
        return best_of(points(starts, w, projection, seed), own, run_from)


def _default(objective: Objective, batch_size: int | None, constraint: Any) -> Optimizer | QuasiNewton:
    if batch_size is None and constraint is None and supports(objective, Capability.SAMPLE):
        return QuasiNewton()
    return Momentum("auto") if isinstance(constraint, Simplex) else Adam()


def _like_start(result: Result, objective: Objective, w0: Any) -> Result:
    """Return the result with parameters of the objective's shape, where it lies and of the library of w0 or X."""
    device = device_of_objective(objective)
    if device is not None:
        result.w = DeviceArray.from_numpy(result.w, device)
    else:
        result.w = result.w.reshape(getattr(objective, "parameters_shape", result.w.shape))
    result.w = like(result.w, getattr(objective, "X", None) if w0 is None else w0)
    return result
