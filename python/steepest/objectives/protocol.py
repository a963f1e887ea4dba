"""What is asked of an objective, what one may be able to do beyond that, and the error where it cannot."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.interop import place

__all__ = [
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
]


@runtime_checkable
class Objective(Protocol):
    """What `minimize`, `curvature`, `taylor` and the searches need of a function to be minimised.

    Any object with these three members is an objective. An object that can do more says so by a method
    ``supports(capability)``, which returns True or False for each of these names:

    ==================  ===============================================================================================
    "batches"           steps over some of its rows, as mini-batches take
    "sample"            the curvature of a sample of its rows, as `QuasiNewton` takes
    "data"              it is a mean of convex losses over rows of data
    "hessian_product"   a method ``hessian_product(w, v)``
    "curvature"         Hessian products, its own or by differences of gradients, in the host's memory
    "constraint"        steps that are projected onto a set
    "starts"            runs from several starts
    "threads"           several runs at once, each in a thread
    ==================  ===============================================================================================

    An object without that method has the last four, and "hessian_product" where it has such a method.

    Attributes
    ----------
    n_parameters : int
        Length of w.
    dtype : numpy.dtype
        float32 or float64: that of w and of the gradient.

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
    """What an objective may be able to do beyond its value and gradient; `Objective` describes each."""

    BATCHES = "batches"
    SAMPLE = "sample"
    DATA = "data"
    HESSIAN = "hessian_product"
    CURVATURE = "curvature"
    CONSTRAINT = "constraint"
    STARTS = "starts"
    THREADS = "threads"


class Layout(NamedTuple):
    """How parameters lie: a row for each score, of the coefficients and then the intercept, if there is one."""

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


_ANY_FUNCTION = (Capability.CURVATURE, Capability.CONSTRAINT, Capability.STARTS, Capability.THREADS)
_LOSSES = "LeastSquares, Logistic and Softmax"
_ON_HOST = "objectives of arrays in the host's memory"
# What each is in words, and which objectives have it.
_WORDS = {
    Capability.BATCHES: ("steps over some of its rows", _LOSSES),
    Capability.SAMPLE: ("a sample of its rows", f"{_LOSSES} of arrays in the host's memory"),
    Capability.DATA: ("rows of data", _LOSSES),
    Capability.HESSIAN: ("a hessian_product", f"{_LOSSES}, and a Function that was given one,"),
    Capability.CURVATURE: ("a Hessian", _ON_HOST),
    Capability.CONSTRAINT: ("steps onto a set", _ON_HOST),
    Capability.STARTS: ("several starts", _ON_HOST),
    Capability.THREADS: ("several runs at once", _ON_HOST),
}


def supports(objective: Any, capability: Capability) -> bool:
    """Return whether an objective has a capability."""
    own = getattr(objective, "supports", None)
    if callable(own):
        return bool(own(capability))
    if capability is Capability.HESSIAN:
        return callable(getattr(objective, "hessian_product", None))
    return capability in _ANY_FUNCTION


def missing(
    objective: Any, capability: Capability, asker: str, remedy: str, error: type[Exception] | None = None
) -> Exception:
    """Return the error for a capability that an objective lacks.

    Parameters
    ----------
    objective : any
        What lacks it.
    capability : Capability
        What it lacks.
    asker : str
        The argument, or the function, that needs it.
    remedy : str
        What to write instead.
    error : type, optional
        Its class. By default NotImplementedError for an objective on a CUDA device, else TypeError.
    """
    what, who = _WORDS[capability]
    device = device_of_objective(objective)
    kind, where = type(objective).__name__, "" if device is None else f" in {place(device)}"
    text = f"{asker} needs an objective with {what}, which {who} have, got {kind}{where}; {remedy}"
    return (error or (TypeError if device is None else NotImplementedError))(text)


def check_objective(objective: Any) -> None:
    """Check that something is an objective."""
    if isinstance(objective, type) or not isinstance(objective, Objective):
        expected = "a LeastSquares, Logistic, Softmax, Function or anything with the members of st.Objective"
        raise TypeError(f"objective must be {expected}, got {describe(objective)}")


def device_of_objective(objective: Any) -> int | None:
    """Return the number of the CUDA device that an objective's data are on, None for the host."""
    return getattr(objective, "device", None)


def layout_of(objective: Any) -> Layout:
    """Return how an objective's parameters lie: all of them coefficients, where it does not say."""
    found: Layout | None = getattr(objective, "layout", None)
    return Layout(1, objective.n_parameters, False) if found is None else found


def penalty_of(objective: Any) -> Penalty:
    """Return an objective's penalty: none, where it does not say."""
    found: Penalty | None = getattr(objective, "penalty", None)
    return Penalty(0.0, 0.0) if found is None else found
