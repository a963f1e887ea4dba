"""`Function`: any smooth function in Python as an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..arrays.checks import FLOATS, check_vector, shown
from .protocol import Capability

__all__ = ["Function"]


class Function:
    """Any smooth function of w, computed in Python, in float64 or float32.

    Parameters
    ----------
    value_and_gradient : callable
        Takes w, an array of shape (n_parameters,) and of the dtype. Returns the value, a float, and the gradient, an
        array of shape (n_parameters,). The gradient is converted to the dtype.
    n_parameters : int
        Length of w, at least 1.
    hessian_product : callable, optional
        Takes w and v, arrays of shape (n_parameters,) and of the dtype. Returns the Hessian at w times v, of the same
        shape.
    dtype : float64 or float32, optional
        The dtype of w, and of the run. A value is a Python float in any case.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, n_parameters is below 1, or dtype is another one. The methods raise them if w or
        v is not an array of the dtype and of shape (n_parameters,), or if a callable returns a gradient or a product of
        another shape.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2, hessian_product=lambda w, v: 2 * v)
    >>> bowl.value_and_gradient(np.array([3.0, 4.0]))
    (25.0, array([6., 8.]))
    >>> bowl.hessian(np.array([3.0, 4.0]))
    array([[2., 0.],
           [0., 2.]])
    >>> st.minimize(bowl, np.array([3.0, 4.0]), st.GradientDescent("auto")).value < 1e-9
    True

    In float32:

    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2, dtype=np.float32)
    >>> st.minimize(bowl, np.ones(2, np.float32), st.GradientDescent(0.25), max_epochs=3).w
    array([0.125, 0.125], dtype=float32)
    """

    def __init__(
        self,
        value_and_gradient: Callable[[NDArray[Any]], tuple[float, Any]],
        n_parameters: int,
        hessian_product: Callable[[NDArray[Any], NDArray[Any]], Any] | None = None,
        *,
        dtype: DTypeLike = np.float64,
    ) -> None:
        for name, value in (("value_and_gradient", value_and_gradient), ("hessian_product", hessian_product)):
            if not callable(value) and not (value is None and name == "hessian_product"):
                raise TypeError(f"{name} must be callable, got {type(value).__name__}")
        if isinstance(n_parameters, bool) or not isinstance(n_parameters, (int, np.integer)):
            raise TypeError(f"n_parameters must be an integer of at least 1, got {n_parameters!r}")
        if n_parameters < 1:
            raise ValueError(f"n_parameters must be an integer of at least 1, got {n_parameters!r}")
        self._value_and_gradient = value_and_gradient
        self._hessian_product = hessian_product
        self.n_parameters = int(n_parameters)
        self.dtype: np.dtype[Any] = _checked_dtype(dtype)

    @property
    def has_hessian_product(self) -> bool:
        """Whether this function was given a hessian_product."""
        return self._hessian_product is not None

    @property
    def name(self) -> str:
        """The name of value_and_gradient, with its module."""
        function = self._value_and_gradient
        own = getattr(function, "__qualname__", type(function).__qualname__)
        return f"{getattr(function, '__module__', '')}.{own}"

    def _vector(self, name: str, array: Any) -> NDArray[Any]:
        result = np.array(array, dtype=self.dtype)  # a copy: the user's function may reuse its array
        if result.shape != (self.n_parameters,):
            raise ValueError(f"{name} must be an array of shape ({self.n_parameters},), got shape {result.shape}")
        return result

    def supports(self, capability: Capability) -> bool:
        """Return whether the function has a capability; `Objective` lists them."""
        if capability == Capability.HESSIAN_PRODUCT:
            return self.has_hessian_product
        own = (Capability.CURVATURE, Capability.CONSTRAINT, Capability.STARTS, Capability.THREADS)
        return capability in own

    def value(self, w: NDArray[Any]) -> float:
        """Return the value at w, an array of shape (n_parameters,)."""
        return self.value_and_gradient(w)[0]

    def gradient(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient at w, an array of shape (n_parameters,)."""
        return self.value_and_gradient(w)[1]

    def value_and_gradient(self, w: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        """Return the value at w and the gradient, an array of shape (n_parameters,) and of the dtype."""
        check_vector("w", w, self.n_parameters, self.dtype)
        value, gradient = self._value_and_gradient(w.copy())  # a copy: the function may write to it
        return float(value), self._vector("the gradient that value_and_gradient returns", gradient)

    def hessian_product(self, w: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
        """Return the Hessian at w times v, of shape (n_parameters,). Raise TypeError if there is no hessian_product."""
        if self._hessian_product is None:
            raise TypeError("hessian_product is needed for a Hessian, got a Function without one")
        check_vector("w", w, self.n_parameters, self.dtype)
        check_vector("v", v, self.n_parameters, self.dtype)
        return self._vector("the product that hessian_product returns", self._hessian_product(w.copy(), v.copy()))

    def hessian(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the Hessian at w, of shape (n_parameters, n_parameters); each column costs one hessian_product."""
        columns = [self.hessian_product(w, unit) for unit in np.eye(self.n_parameters, dtype=self.dtype)]
        return np.stack(columns, axis=1)


def _checked_dtype(value: Any) -> np.dtype[Any]:
    expected = "dtype must be np.float64 or np.float32"
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except TypeError:
        raise TypeError(f"{expected}, got {shown(value)}") from None
    if dtype not in FLOATS:
        raise ValueError(f"{expected}, got {dtype}")
    return dtype
