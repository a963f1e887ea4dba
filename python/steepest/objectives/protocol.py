"""The `Objective` protocol, the capabilities that an objective may add, and the error for a missing one."""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.interop import place
from ..parts.team import ALONE, Team

__all__ = [
    "NAMES_OF_LOSSES",
    "Capability",
    "Layout",
    "Objective",
    "Penalty",
    "check_objective",
    "device_of_objective",
    "layout_of",
    "missing",
    "penalty_of",
    "supports",
    "team_of",
]


@runtime_checkable
class Objective(Protocol):
    """The members that `minimize`, `curvature`, `taylor` and the searches need of a function to minimise.

    Any object with these three members is an objective. An object that can do more has a method
    ``supports(capability)``, which returns True or False for each of these names:

    =================== ===============================================================================================
    "batches"           `minimize` can take steps over some of its rows (mini-batches)
    "sample"            it has batches in host memory, and `QuasiNewton` begins with a sample of its rows
    "column_statistics" `QuasiNewton` can minimise it: its data give means and deviations of its columns
    "data"              it is a mean of convex losses over rows of data
    "hessian_product"   it has a method ``hessian_product(w, v)``
    "curvature"         Hessian products for NumPy arrays: its own, or differences of gradients
    "constraint"        its steps can be projected onto a set
    "starts"            it can run from several starts
    "threads"           several of its runs can go on at once, each in a thread
    =================== ===============================================================================================

    An object without ``supports`` has the last four capabilities. It also has "hessian_product" if it has a method of
    that name.

    Attributes
    ----------
    n_parameters : int
        Length of w.
    dtype : numpy.dtype
        The dtype of w and of the gradient: float32 or float64.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> class Bowl:
    ...     n_parameters = 2
    ...     dtype = np.dtype(np.float64)
    ...
    ...     def value_and_gradient(self, w):
    ...         return float(w @ w), 2 * w
    >>> isinstance(Bowl(), st.Objective)
    True
    >>> st.minimize(Bowl(), np.ones(2), st.GradientDescent("auto")).value < 1e-9
    True
    """

    @property
    def n_parameters(self) -> int: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def value_and_gradient(self, w: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        """Return the value at w, of shape (n_parameters,), and the gradient, of the same shape and dtype."""
        ...


class Capability(StrEnum):
    """Abilities that an objective, or its data, may have beyond value and gradient.

    `Objective` describes those that its users meet, and `Data` the next nine. The last five are those of a native
    source alone; ``cpp/engine/source.hpp`` has them, and all that it shares with this list, under the same names.
    """

    BATCHES = "batches"
    SAMPLE = "sample"
    DATA = "data"
    HESSIAN_PRODUCT = "hessian_product"
    CURVATURE = "curvature"
    CONSTRAINT = "constraint"
    STARTS = "starts"
    THREADS = "threads"
    COLUMN_STATISTICS = "column_statistics"

    BUFFERS = "buffers"
    ROWS = "rows"
    TARGETS = "targets"
    STEPS = "steps"
    COLUMN_RANGES = "column_ranges"
    ENTRIES = "entries"
    DIGESTS = "digests"
    FEWER_COLUMNS = "fewer_columns"
    COLUMNS = "columns"

    HESSIAN = "hessian"
    SINGLE_ROWS = "single_rows"
    ROW_ENTRIES = "row_entries"
    STANDARDISED_BLOCKS = "standardised_blocks"
    TWO_POINTS = "two_points"


class Layout(NamedTuple):
    """The layout of parameters: one row per score, with the coefficients and then the intercept, if there is one."""

    n_scores: int
    n_features: int
    intercept: bool


class Penalty(NamedTuple):
    """The elastic-net penalty of an objective."""

    alpha: float
    l1_ratio: float

    @property
    def l1(self) -> float:
        """Factor of the L1 norm."""
        return self.alpha * self.l1_ratio

    @property
    def l2(self) -> float:
        """Factor of half the squared norm."""
        return self.alpha * (1.0 - self.l1_ratio)


_MEMBERS = ("n_parameters", "dtype", "value_and_gradient")  # of `Objective`
_ANY_FUNCTION = (Capability.CURVATURE, Capability.CONSTRAINT, Capability.STARTS, Capability.THREADS)
NAMES_OF_LOSSES: list[str] = []
"""The names of the classes of the losses, which each adds when it is defined."""
_LOSSES = "{losses}"  # their names
_ON_HOST = "objectives of arrays in the host's memory"
# For each capability: its name in an error, and the objectives that have it.
_WORDS = {
    Capability.BATCHES: ("steps over some of its rows", _LOSSES),
    Capability.SAMPLE: ("a sample of its rows", f"{_LOSSES} of arrays in the host's memory"),
    Capability.DATA: ("rows of data", _LOSSES),
    Capability.ROWS: ("rows in host memory", f"{_LOSSES} of arrays in the host's memory"),
    Capability.COLUMN_STATISTICS: (
        "statistics of its columns",
        f"{_LOSSES} of arrays in the host's memory, and of those on a CUDA device,",
    ),
    Capability.HESSIAN_PRODUCT: ("a hessian_product", f"{_LOSSES}, and a Function that was given one,"),
    Capability.CURVATURE: ("a Hessian", f"{_ON_HOST}, and of those on a CUDA device,"),
    Capability.CONSTRAINT: ("steps onto a set", f"{_ON_HOST}, and of dense ones on a CUDA device,"),
    Capability.STARTS: ("several starts", f"{_ON_HOST}, and of dense ones on a CUDA device,"),
    Capability.DIGESTS: ("digests of its data", f"{_LOSSES} of arrays in the host's memory"),
    Capability.THREADS: ("several runs at once", _ON_HOST),
}


def supports(objective: Any, capability: Capability) -> bool:
    """Return whether an objective has a capability."""
    own = getattr(objective, "supports", None)
    if callable(own):
        return bool(own(capability))
    if capability == Capability.HESSIAN_PRODUCT:
        return callable(getattr(objective, "hessian_product", None))
    return capability in _ANY_FUNCTION


def missing(
    objective: Any, capability: Capability, asker: str, remedy: str, error: type[Exception] | None = None
) -> Exception:
    """Return the error for a capability that an objective lacks.

    Parameters
    ----------
    objective : any
        The objective that lacks the capability.
    capability : Capability
        The capability.
    asker : str
        The argument, or the function, that needs the capability.
    remedy : str
        Advice on what to write instead.
    error : type, optional
        The class of the error. The default is NotImplementedError for an objective on a CUDA device, else TypeError.
    """
    what, who = _WORDS[capability]
    who = who.format(losses=_enumerated("and"))
    device = device_of_objective(objective)
    places = (getattr(objective, name, None) for name in ("data", "native"))
    rows = next(filter(None, (getattr(each, "kind_of_rows", "") for each in places)), "")  # of which others can do more
    kind, where = f"{type(objective).__name__}{rows}", "" if device is None else f" in {place(device)}"
    text = f"{asker} needs an objective with {what}, which {who} have, got {kind}{where}; {remedy}"
    return (error or (TypeError if device is None else NotImplementedError))(text)


def _enumerated(last: str, *more: str) -> str:
    """Return the names of the losses, and more, as a list in words."""
    *names, end = *NAMES_OF_LOSSES, *more
    return f"{', '.join(names)} {last} {end}"


def _has_members(objective: Any) -> bool:
    """Return whether an object's class defines all members of `Objective`, and the object has them.

    Then ``isinstance`` is True too, but it takes as long as a pass over little data.
    """
    kind = type(objective)
    return all(hasattr(kind, name) and getattr(objective, name, None) is not None for name in _MEMBERS)


def check_objective(objective: Any) -> None:
    """Raise a TypeError if the argument is not an objective."""
    if isinstance(objective, type) or not (_has_members(objective) or isinstance(objective, Objective)):
        expected = f"a {_enumerated('or', 'Function', 'anything with the members of st.Objective')}"
        hint = "; wrap it: st.Function(value_and_gradient, n_parameters)" if inspect.isroutine(objective) else ""
        raise TypeError(f"objective must be {expected}, got {describe(objective)}{hint}")


def device_of_objective(objective: Any) -> int | None:
    """Return the number of the CUDA device that holds an objective's data, or None for host memory."""
    return getattr(objective, "device", None)


def team_of(objective: Any) -> Team:
    """Return the processes that minimise an objective together. By default this one is alone."""
    engine: Any = getattr(getattr(getattr(objective, "data", None), "X", None), "engine", None)
    while not hasattr(engine, "team") and hasattr(engine, "engine"):
        engine = engine.engine  # to which it hands its questions on
    found: Team = getattr(engine, "team", ALONE)
    return found


def layout_of(objective: Any) -> Layout:
    """Return the layout of an objective's parameters. By default all of them are coefficients of one score."""
    found: Layout | None = getattr(objective, "layout", None)
    return Layout(1, objective.n_parameters, False) if found is None else found


def penalty_of(objective: Any) -> Penalty:
    """Return an objective's penalty. By default it is 0."""
    found: Penalty | None = getattr(objective, "penalty", None)
    return Penalty(0.0, 0.0) if found is None else found
