"""The base class of the optimizers: their state, and their steps on the host or on a CUDA device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import FLOATS, check_count, describe
from ..arrays.device_checks import check_step
from ..arrays.interop import DeviceView, as_native, check_unmasked, note_change
from ..objectives.protocol import Capability, missing, supports
from . import state_arrays
from .device_step import DeviceState
from .runner import Runner, StepPlan
from .runner_for import runner_for
from .schedules import Constant, ScheduleLike, as_schedule, rates_at

__all__ = ["Offers", "Optimizer"]

Offers = Mapping[str, Mapping[str, Any]]

_BLOCK_BYTES = 1 << 24  # memory to touch before Python looks for a signal again
_PAGE_BYTES = 4096


def _no_curvature(step: Any) -> float:
    raise ValueError(
        'learning_rate="auto" comes from the curvature of an objective: minimize has an objective, a single step has '
        "none; give a number or a schedule"
    )


def _map_pages(array: NDArray[Any]) -> None:
    """Rewrite one element of every page of an array, so that the operating system maps the array's memory now.

    The operating system maps and clears memory at its first use, which takes ten times as long as a step over it.
    Without this function a long native call would pay for that, deaf to Ctrl-C. Python answers Ctrl-C between blocks.
    """
    if array.nbytes <= _BLOCK_BYTES or not (array.flags.c_contiguous and array.flags.writeable):
        return
    flat, block, page = array.reshape(-1), _BLOCK_BYTES // array.itemsize, max(_PAGE_BYTES // array.itemsize, 1)
    for first in range(0, flat.size, block):
        elements = flat[first : first + block : page]
        elements[...] = elements.copy()


class Optimizer:
    """The base class of the optimizers: an update rule, its hyperparameters and its state.

    The state consists of arrays with the shape and dtype of w. The first step makes them and fills them with 0.

    Parameters
    ----------
    rule : str
        The native name of the update rule.
    learning_rate : float or schedule or "auto"
        A schedule is a callable of the number of steps taken so far, which is 0 before the first step. With "auto",
        `minimize` computes the rate from the objective's curvature; only some optimizers accept it.
    **hyperparameters : float
        The rule's other numbers, already checked.
    """

    _states: ClassVar[tuple[str, ...]] = ()
    _takes_auto: ClassVar[bool] = False
    scales_coordinates: ClassVar[bool] = False
    """Whether a step scales each coordinate by its own number."""
    offered_as: ClassVar[Offers] = {}
    """The names under which the estimators and the command line offer it, with the arguments that each stands for."""
    default_rate: ClassVar[float | None] = None
    """The first rate of a run by name that gives none: it suits standardised columns, and falls to 0 over the run."""
    steps_shrink: ClassVar[bool] = False
    """Whether steps at a constant rate shrink by themselves as the run goes on."""

    def __init__(self, rule: str, learning_rate: float | str | ScheduleLike, **hyperparameters: float) -> None:
        self.rule_name = rule
        self._hyperparameters = hyperparameters
        self.learning_rate = learning_rate
        self._state: tuple[NDArray[Any], ...] | None = None
        self._on_device: DeviceState | None = None  # instead of _state
        self.n_steps = 0
        self.rule = _core.Rule(rule, **hyperparameters)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name != "rule"}
        return {**state, "_state": self._arrays(), "_on_device": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.rule = _core.Rule(self.rule_name, **self._hyperparameters)

    @property
    def learning_rate(self) -> float | str | ScheduleLike:
        """The rate, or the schedule, that the next steps follow. Assign to change it."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float | str | ScheduleLike) -> None:
        if isinstance(learning_rate, str) and learning_rate == "auto":
            if not self._takes_auto:
                expected = 'a number above 0 or a schedule ("auto" is for GradientDescent and Momentum)'
                raise ValueError(f"learning_rate of {type(self).__name__} must be {expected}, got 'auto'")
            self._schedule: ScheduleLike = _no_curvature
        else:
            self._schedule = as_schedule(learning_rate)
        self._learning_rate = learning_rate
        self._fixed_rate = self._schedule(0) if isinstance(self._schedule, Constant) else None

    def step(self, w: Any, gradient: Any) -> None:
        """Change w by one step, in place and without a copy.

        Parameters
        ----------
        w : array of any shape, float32 or float64
            The parameters: C-contiguous and writeable. The array may come from NumPy or from a library with DLPack,
            such as torch. A tensor that requires a gradient is changed as under ``torch.no_grad()``. If w is on a CUDA
            device, the step runs on its stream, and the state is kept on that device.
        gradient : array of the shape and dtype of w
            The gradient at w: C-contiguous, not overlapping w, from NumPy or any such library.

        Raises
        ------
        TypeError, ValueError
            An array has the wrong type, dtype, shape or layout, or its shape or dtype differs from the steps before.
        RuntimeError
            The stream of w or of the gradient is captured into a CUDA graph. A replay of the graph would not count its
            steps: it would repeat their number and their learning rate.

        Notes
        -----
        Where the gradient is not finite, or the state overflows, w becomes NaN. No warning is given. A step is never
        interrupted: Ctrl-C during a step takes effect after it, so w, the state and n_steps always agree.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> w = np.array([1.0, 2.0])
        >>> optimizer = st.GradientDescent(learning_rate=0.5)
        >>> optimizer.step(w, np.array([1.0, -2.0]))
        >>> w
        array([0.5, 3. ])
        """
        rate = self._fixed_rate
        if rate is None:
            rate = float(self.rates(self.n_steps, 1)[0])
        self.step_at(rate, w, gradient)

    def step_at(self, rate: float, w: Any, gradient: Any) -> None:
        """Make one step with this learning rate instead of the scheduled one."""
        if not (isinstance(w, ndarray) and isinstance(gradient, ndarray)):
            self._step_foreign(rate, w, gradient)
            return
        if type(w) is not ndarray or type(gradient) is not ndarray:
            check_unmasked("w", w)
            check_unmasked("gradient", gradient)
        state, before = self.state_for(w), (self._state, self.n_steps)
        self._state, self.n_steps = state, self.n_steps + 1  # before the call: Ctrl-C raises right after it
        try:
            self.rule.step(w, gradient, state, rate, self.n_steps)
        except (TypeError, ValueError):  # from the checks, which run before any change
            self._state, self.n_steps = before
            raise

    def _step_foreign(self, rate: float, w: Any, gradient: Any) -> None:
        target, slope = as_native("w", w), as_native("gradient", gradient)
        if isinstance(target, DeviceView) or isinstance(slope, DeviceView):
            check_step(target, slope)
            self._step_on_device(rate, target, slope)
        else:
            for name, array in (("w", target), ("gradient", slope)):
                if not isinstance(array, ndarray):
                    raise TypeError(f"{name} must be a C-contiguous float32 or float64 array, got {describe(array)}")
            self.step_at(rate, target, slope)
        note_change(w)

    def _step_on_device(self, rate: float, w: DeviceView, gradient: DeviceView) -> None:
        DeviceState.check_stream(w, gradient)
        state = self.on_device(w)
        arguments, step = state.prepare(rate, self.n_steps + 1, w, gradient), state.rule.step
        if w.size == 0:
            self.n_steps += 1
            return
        self.n_steps += 1  # before the step, as on the host
        try:
            step(*arguments)
        except (TypeError, ValueError, RuntimeError):
            self.n_steps -= 1
            raise
        state.finish(w, gradient)

    def on_device(self, w: DeviceView) -> DeviceState:
        """Return the state on w's device: zeros before the first step; a state on the host is moved there."""
        state = self._on_device
        if state is None:
            arrays = len(self._states) if self._state is None else self._state
            state = DeviceState(self.rule_name, self._hyperparameters, w, arrays)
        state.go_on_with(w)
        self._on_device, self._state = state, None
        return state

    def _arrays(self) -> tuple[NDArray[Any], ...] | None:
        return self._state if self._on_device is None else self._on_device.numpy()

    def state_for(self, w: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the state's arrays for w; before the first step, new arrays of zeros."""
        if self._state is None:
            if self._on_device is not None and self._states:
                raise ValueError(f"w must be on a CUDA device as in the steps before, got {describe(w)}")
            new = tuple(state_arrays.zeros(w.shape, w.dtype, place) for place in range(len(self._states)))
            for array in (w, *new):
                _map_pages(array)
            return new
        for array in self._state:
            if array.shape != w.shape or array.dtype != w.dtype:
                raise ValueError(f"w must be {describe(array)} as in the steps before, got {describe(w)}")
        return self._state

    def adopt(self, state: tuple[NDArray[Any], ...]) -> None:
        """Use these arrays as the state that later steps change."""
        self._state = state

    def rates(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the learning rates of n steps that follow the first ``first`` steps."""
        if self._fixed_rate is not None:
            return np.full(n, self._fixed_rate)
        return rates_at(self._schedule, np.arange(first, first + n))

    @property
    def overflowed(self) -> bool:
        """Whether the state holds a number that is not finite."""
        return any(not np.isfinite(array).all() for array in self._arrays() or ())

    @property
    def is_auto(self) -> bool:
        """Whether the learning rate comes from the objective's curvature."""
        return self._schedule is _no_curvature

    def map_state(self, change: Callable[[str, NDArray[Any]], NDArray[Any]]) -> None:
        """Replace each array of the state by what ``change`` makes of its name and the array."""
        if (arrays := self._arrays()) is not None:
            self._state = tuple(map(change, self._states, arrays))
            self._on_device = None

    def twin(self) -> Optimizer:
        """Return a copy with arrays of its own, on the host."""
        found, arrays = copy.copy(self), self._arrays()
        found._state = None if arrays is None else tuple(map(state_arrays.copied, arrays, range(len(arrays))))
        return found

    def forget(self) -> None:
        """Set the state to 0 in place; keep the count of steps."""
        for array in self._state or ():
            array[:] = 0
        if self._on_device is not None:
            self._on_device.forget()

    def reset(self) -> None:
        """Forget the state and the count of steps, as in a new optimizer.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> optimizer = st.Adam()
        >>> optimizer.step(np.ones(2), np.ones(2))
        >>> optimizer.reset()
        >>> optimizer.n_steps
        0
        """
        self._state = self._on_device = None
        self.n_steps = 0

    def largest_stable_rate(self, eigenvalue_max: float) -> float | None:
        """Return the learning rate from which on this rule diverges on a quadratic; None if none is known.

        Parameters
        ----------
        eigenvalue_max : float
            The largest eigenvalue of the quadratic's Hessian, above 0.
        """
        return None

    def check(self, objective: Any, batch_size: Any, constraint: Any) -> None:
        """Check that the optimizer can minimise this objective with these options of a run."""
        if self.is_auto and not supports(objective, Capability.CURVATURE):
            raise missing(objective, Capability.CURVATURE, 'learning_rate="auto"', "give a number")

    def runner(self, objective: Any, w: NDArray[Any], plan: StepPlan) -> Runner:
        """Return the runner that takes the steps of a run; it changes w in place."""
        return runner_for(objective, self, w, plan)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that another optimizer of this class needs to continue from here.

        Returns
        -------
        dict
            "name", "rule", "n_steps", "hyperparameters" and "state". The state maps names to copies of the state's
            arrays, as NumPy arrays with the shape and dtype of w; before the first step it is empty.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> optimizer = st.Momentum(learning_rate=0.5)
        >>> optimizer.step(np.ones(2), np.array([1.0, -2.0]))
        >>> optimizer.state_dict()["state"]
        {'velocity': array([ 1., -2.])}
        """
        arrays = self._arrays() if self.n_steps else None
        state = {} if arrays is None else dict(zip(self._states, (a.copy() for a in arrays), strict=True))
        hyperparameters = {"learning_rate": self.learning_rate, **self._hyperparameters}
        return {
            "name": type(self).__name__,
            "rule": self.rule_name,
            "n_steps": self.n_steps,
            "hyperparameters": hyperparameters,
            "state": state,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`: take over its n_steps and its state, but not its hyperparameters.

        Parameters
        ----------
        state_dict : dict
            From the `state_dict` of an optimizer with the same class and rule. Its arrays are copied. The first step on
            a device moves the copies there.

        Raises
        ------
        TypeError, ValueError
            The argument is not a state_dict, comes from another rule, or lacks the arrays that this rule needs.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> old, new = st.Momentum(0.5), st.Momentum(0.25)
        >>> old.step(np.ones(2), np.array([1.0, -2.0]))
        >>> new.load_state_dict(old.state_dict())
        >>> new.n_steps, new.learning_rate
        (1, 0.25)
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, got {describe(state_dict)}")
        missing = {"name", "rule", "n_steps", "state"} - set(state_dict)
        if missing:
            raise ValueError(f"state_dict must hold name, rule, n_steps and state, got one without {sorted(missing)}")
        if (state_dict["name"], state_dict["rule"]) != (type(self).__name__, self.rule_name):
            expected, came = f"{type(self).__name__} ({self.rule_name})", f"{state_dict['name']} ({state_dict['rule']})"
            raise ValueError(f"state_dict must be of {expected}, got one from {came}")
        n_steps = check_count("n_steps of state_dict", state_dict["n_steps"], 0)
        arrays = state_dict["state"]
        if set(arrays) != (set(self._states) if n_steps else set()):
            raise ValueError(f"state_dict must hold the arrays {self._states} after a step, got {tuple(arrays)}")
        state = tuple(np.asarray(arrays[name], order="C") for name in self._states if n_steps)
        for array in state:
            if array.dtype not in FLOATS or array.shape != state[0].shape or array.dtype != state[0].dtype:
                raise ValueError(f"state_dict must hold float32 or float64 arrays of one shape, got {describe(array)}")
        self._state = tuple(map(state_arrays.copied, state, range(len(state)))) if n_steps else None
        self._on_device = None
        self.n_steps = n_steps

    def __repr__(self) -> str:
        arguments = {"learning_rate": self.learning_rate, **self._arguments()}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"

    def _arguments(self) -> dict[str, Any]:
        return self._hyperparameters
