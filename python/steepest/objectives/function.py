"""Any smooth Python function as an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_vector
from .protocol import Capability

__all__ = ["Function"]


class Function:
    """Any smooth function of w, computed in Python, in float64.

    Parameters
    ----------
    value_and_gradient : callable
        w, of shape (n_parameters,), to (float, array of shape (n_parameters,)).
    n_parameters : int
        Length of w.
    hessian_product : callable, optional
        (w, v) to the Hessian at w times v.
    """

    def __init__(
        self,
        value_and_gradient: Callable[[NDArray[Any]], tuple[float, Any]],
        n_parameters: int,
        hessian_product: Callable[[NDArray[Any], NDArray[Any]], Any] | None = None,
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
        self.dtype: np.dtype[Any] = np.dtype(np.float64)

    @property
    def has_hessian_product(self) -> bool:
        """Whether a hessian_product was given."""
        return self._hessian_product is not None

    def _vector(self, name: str, array: Any) -> NDArray[Any]:
        result = np.array(array, dtype=np.float64)  # a copy: the function may use its array again
        if result.shape != (self.n_parameters,):
            raise ValueError(f"{name} must be an array of shape ({self.n_parameters},), got shape {result.shape}")
        return result

    def supports(self, capability: Capability) -> bool:
        """Return whether the function has a capability: see `Objective`."""
        if capability is Capability.HESSIAN:
            return self.has_hessian_product
        own = (Capability.CURVATURE, Capability.CONSTRAINT, Capability.STARTS, Capability.THREADS)
        return capability in own

    def value(self, w: NDArray[Any]) -> float:
        """Return the function's value at w."""
        return self.value_and_gradient(w)[0]

    def gradient(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the function's gradient at w."""
        return self.value_and_gradient(w)[1]

    def value_and_gradient(self, w: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        """Return the value at w and the gradient, of shape (n_parameters,)."""
        check_vector("w", w, self.n_parameters, self.dtype)
        value, gradient = self._value_and_gradient(w.copy())  # what it writes there changes no run
        return float(value), self._vector("the gradient that value_and_gradient returns", gradient)

    def hessian_product(self, w: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
        """Return the Hessian at w times v; a TypeError where no hessian_product was given."""
        if self._hessian_product is None:
            raise TypeError("hessian_product was not given to this Function")
        check_vector("w", w, self.n_parameters, self.dtype)
        check_vector("v", v, self.n_parameters, self.dtype)
        return self._vector("what hessian_product returns", self._hessian_product(w.copy(), v.copy()))

    def hessian(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the Hessian, of shape (n_parameters, n_parameters), a product with a unit vector a column."""
        columns = [self.hessian_product(w, unit) for unit in np.eye(self.n_parameters)]
        return np.stack(columns, axis=1)
