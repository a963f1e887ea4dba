"""`minimize`: it checks its arguments and makes a run of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from ..arrays.checks import check_count, check_flag, check_number, check_start, describe
from ..arrays.device import DeviceArray
from ..arrays.hints import hinting
from ..arrays.interop import like
from ..constraints.sets import Constraint, Simplex
from ..objectives.penalty_weight import check_left_out
from ..objectives.protocol import (
    Capability,
    Objective,
    check_objective,
    device_of_objective,
    missing,
    supports,
    team_of,
)
from ..optimizers.base import Optimizer
from ..optimizers.rules import Adam, Momentum
from ..optimizers.runner import StepPlan
from ..parts.team import Team
from ..quasi_newton.optimizer import QuasiNewton, takes_constraint
from .arguments import batches, check_early_stopping, checked_validation, flat_start, seed_of, several
from .checkpoints import Checkpoints
from .feasibility import constraint_for, feasible_start
from .identity import check_rules, identity_of
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
_HINTS = (  # argument names of other libraries, and what to write here instead
    dict.fromkeys(
        ("epochs", "n_epochs", "num_epochs", "max_iter", "maxiter", "n_iter", "n_iters", "nb_epoch"), "max_epochs=..."
    )
    | dict.fromkeys(("iterations", "n_iterations", "max_iterations", "steps", "n_steps"), "max_epochs=...")
    | dict.fromkeys(("lr", "learning_rate", "learn_rate", "eta0", "step_size", "rate", "momentum"), _RATE)
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

_BY_NAME = (  # names of optimizers, here and elsewhere, and what to write instead
    dict.fromkeys(("adam", "adamw"), "st.Adam()")
    | dict.fromkeys(("momentum", "nesterov"), 'st.Momentum("auto")')
    | dict.fromkeys(("gd", "sgd", "gradient-descent"), 'st.GradientDescent("auto")')
    | dict.fromkeys(("auto", "quasi-newton", "lbfgs", "l-bfgs-b", "bfgs", "newton"), "st.QuasiNewton()")
    | {"adagrad": "st.AdaGrad()", "rmsprop": "st.RMSProp()"}
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
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
) -> Result:
    """Minimise an objective by gradient descent.

    Parameters
    ----------
    objective : a loss such as LeastSquares, a Function or any other `Objective`
        The function to minimise.
    w0 : array of shape (n_parameters,), or of the ``parameters_shape`` of a Softmax, optional
        The start, by default zeros. It has the dtype of the objective, and it is not changed. The result's w comes in
        the library of w0 (NumPy, torch, ...). Without w0, it comes in the library of the objective's X.
    optimizer : optimizer, optional
        The update rule. The default is QuasiNewton() for full-batch runs of losses of data, without a constraint or
        with a Box that it takes. It is Momentum("auto") for a Simplex, and Adam() otherwise. After the run it holds the
        run's state. Several runs at once may share an optimizer: one of them uses it, and the others use copies, which
        are dropped.
    constraint : Box or Simplex, optional
        The set that the parameters stay in. QuasiNewton() takes a Box of lower bounds 0 (or -inf) and upper bounds inf
        alone, such as Box(0, inf). Every step is projected onto the set. It constrains all parameters of a Function. It
        constrains the coefficients of a LeastSquares or Logistic; their intercept is free. A Box of numbers, or of the
        shape of one class, applies to every class of a Softmax. A given w0 must be in the set. Without w0, the run
        starts at the projection of zeros. Where w touches the border, the gradient norm in the history and in the
        stopping rules leaves out the part that the constraint holds back: see `Box` and `Simplex`.
    batch_size : int, optional
        Rows of a step: None for all rows (batch descent), 1 for stochastic descent, more for mini-batch descent. The
        last batch of an epoch has the rows that are left. A batch_size of n_samples or more means all rows. The loop
        keeps 4 bytes for each row of a batch.
    max_epochs : int
        Passes over the data, at least 0.
    max_seconds : float, optional
        Seconds after which the run takes no further step.
    stop : stopping rule or several
        Rules of ``st.stop``. They are asked after every evaluated epoch, and the first rule to fire ends the run.
    validation : objective or tuple (X, y) or (X, y, sample_weight), optional
        Validation data. The run records their mean loss, without the penalty, and returns the w with the lowest one.
    shuffle : bool
        Whether every epoch takes the rows in a new random order (without replacement).
    random_state : None, int, SeedSequence or NumPy generator
        Seed of the random orders. The same number gives the same bits on any number of threads.
    callbacks : callable or several
        Each is called with a `Progress` at the start and after every evaluated epoch. It ends the run by returning
        True.
    progress : bool
        Whether to show a bar with the loss (needs tqdm).
    record_path : bool
        Whether to keep the parameters after every step.
    evaluate_every : int
        Epochs between two evaluations of the whole objective. In full-batch descent they cost nothing extra.
    reset : bool
        Whether to reset the optimizer first. With False it continues from its state.
    diagnose : bool
        Whether to check the loss history for problems. They are reported as warnings while the run goes on, and in
        ``result.diagnosis``. Set False if a bad run is intended.
    starts : int, optional
        Number of starts, for functions with more than one minimum: w0 and random points around it. The random points
        are normal with deviation 1, or uniform in a constraint that is bounded. `max_epochs` and `max_seconds` apply to
        each start. The run with the lowest value is returned, and its `starts` has all runs. Random points at which the
        objective is not finite are left out.
    checkpoint : str or PathLike, optional
        The path of a file that saves the run. If there is none, the run begins and writes it. If there is one, the run
        goes on from it, and ends with the bits of a run that was never interrupted. Only the "seconds" of the history
        differ: they count all its parts, as `max_seconds` does. A run that has ended returns its result again, or goes
        on if `max_epochs`, `max_seconds` or the numbers of the stopping rules allow more. Without a `random_state`, the
        seed in the file is used. The digest of the data in the file takes a second for some GB. See the page on
        checkpoints.
    checkpoint_seconds : float
        The time after which the file is written anew. The run looks after every epoch, and within the epochs of
        mini-batches every 0.1 s; 0 writes at each look.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, shape or range, or the objective is not finite at the start. A Simplex does not
        go with an L1 penalty, which is constant on it. Nor does it go with AdaGrad, RMSProp or Adam: these scale each
        coordinate and would converge to the wrong point. A checkpoint is of another problem or of other settings, is of
        a newer version, or is damaged; it is not overwritten. It goes neither with `starts` nor with ``reset=False``.
    NotImplementedError
        A checkpoint with an objective on a CUDA device, or a constraint with one of sparse rows or with mini-batches.

    Warns
    -----
    CheckpointWarning
        The newest checkpoint is damaged or missing and the one before is used, or one could not be written.

    Notes
    -----
    A run whose loss is no longer finite ends at once with a `DivergenceWarning`. Ctrl-C ends the run within 0.2 s; the
    result then has the parameters reached so far, and ``stop_reason="interrupted"``.

    Gradient descent: Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes Rendus
    25, 1847. Each optimizer names the source of its own rule.

    Examples
    --------
    Targets 2 x + 1, first with the default optimizer, then by mini-batches:

    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.arange(8.0)[:, None]
    >>> objective = st.LeastSquares(X, 2 * X[:, 0] + 1)
    >>> result = st.minimize(objective)
    >>> result.w.round(6), result.converged
    (array([2., 1.]), True)
    >>> result = st.minimize(objective, optimizer=st.Momentum(0.005), batch_size=4, max_epochs=2000, random_state=0)
    >>> result.w.round(3), result.n_steps
    (array([2., 1.]), 4000)
    """
    check_objective(objective)
    optimizer = _default(objective, batch_size, constraint) if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer | QuasiNewton):
        raise TypeError(
            f"optimizer must be an optimizer such as st.Adam(), got {describe(optimizer)}{_named(optimizer)}"
        )
    optimizer.check(objective, batch_size, constraint)
    w = check_start(flat_start(w0, objective), objective.n_parameters, objective.dtype)
    check_left_out(objective, w)
    projection = constraint_for(constraint, objective, optimizer)
    w = feasible_start(projection, objective, w, given=w0 is not None)
    seed = seed_of(random_state, objective)
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
    checkpoints = _checkpoints(checkpoint, checkpoint_seconds, settings, reset, starts, team_of(objective))
    drawn = random_state is None
    if checkpoints is not None and drawn and checkpoints.seed is not None:
        plan = plan._replace(seed=checkpoints.seed)

    def run_from(w: NDArray[Any], optimizer: Optimizer | QuasiNewton) -> Result:
        if reset:
            optimizer.reset()
        if checkpoints is not None:
            identity = identity_of(objective, w, optimizer, settings, plan, constraint, drawn)
            checkpoints.begin(identity, plan.seed, settings.stop)
        with settings_of_run(settings) as own:
            run = Run(objective, optimizer, w, own, optimizer.runner(objective, w, plan), progress, checkpoints)
            return _like_start(run.result(), objective, w0)

    if starts is not None:
        check_count("starts", starts, 1)
        if not supports(objective, Capability.STARTS):
            raise missing(objective, Capability.STARTS, "starts", "call minimize for each")
    team, alike = team_of(objective), dict[str, Any]()
    if not team.is_alone:
        alike = {"objective": objective, "optimizer": optimizer, "n_steps": optimizer.n_steps}
        alike |= {"reset": reset, "starts": starts, "order of rows": plan, **settings.shared()}
    with team.together("minimize", alike), optimizer_of_run(optimizer, reset) as own:
        if starts is None:
            return run_from(w, own)
        return best_of(points(starts, w, projection, seed), own, run_from)


def _checkpoints(
    path: Any, seconds: Any, settings: RunSettings, reset: bool, starts: Any, team: Team
) -> Checkpoints | None:
    """Return the checkpoints of a run, or None. A file that is there is read."""
    if path is None:
        check_number("checkpoint_seconds", seconds, least=0.0)
        return None
    if starts is not None:
        raise ValueError(f"checkpoint must be None for several starts, got {path!r}; call minimize for each start")
    if not reset:
        raise ValueError(f"checkpoint must be None where reset=False goes on from an optimizer's state, got {path!r}")
    check_rules(settings.stop)
    return Checkpoints(path, seconds, team)


def _default(objective: Objective, batch_size: int | None, constraint: Any) -> Optimizer | QuasiNewton:
    whole = batch_size is None and supports(objective, Capability.COLUMN_STATISTICS)
    if whole and (constraint is None or takes_constraint(objective, constraint)):
        return QuasiNewton()
    return Momentum("auto") if isinstance(constraint, Simplex) else Adam()


def _named(optimizer: Any) -> str:
    """Return the optimizer that a name means, as a hint."""
    found = _BY_NAME.get(optimizer.lower().replace("_", "-")) if isinstance(optimizer, str) else None
    return f"; use optimizer={found}" if found else ""


def _like_start(result: Result, objective: Objective, w0: Any) -> Result:
    """Return the result with its w in the objective's shape, on its device, and in the library of w0 or X."""
    device, w = device_of_objective(objective), result.w
    shaped: Any = w.reshape(getattr(objective, "parameters_shape", w.shape))
    on_device = shaped if device is None else DeviceArray.from_numpy(shaped, device)
    result.w = like(on_device, getattr(objective, "X", None) if w0 is None else w0)
    return result
