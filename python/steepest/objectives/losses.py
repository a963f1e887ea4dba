"""The losses that have one score per row, bound to data."""

from __future__ import annotations

from typing import Any

from ..arrays.checks import check_labels
from ..arrays.device_checks import check_device_labels
from ..arrays.interop import DeviceView
from .data import DataObjective, documented

__all__ = ["LeastSquares", "Logistic"]


@documented
class LeastSquares(DataObjective):
    """Mean squared error: loss(z, y) = (z - y)^2, without a factor 1/2.

    Least squares: Gauss, "Theoria motus corporum coelestium", 1809.

    Examples
    --------
    Targets 2 x_1 + x_2 + 1:

    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]), np.array([3.0, 6.0, 7.0, 10.0])
    >>> objective = st.LeastSquares(X, y)
    >>> objective.value(np.zeros(3))
    48.5
    >>> st.minimize(objective).w.round(6)
    array([2., 1., 1.])
    """

    _loss = "least_squares"
    constant_curvature = True


@documented
class Logistic(DataObjective):
    """Logistic loss for targets 0 and 1: loss(z, y) = log(1 + e^z) - y z.

    Logistic regression: Cox, "The Regression Analysis of Binary Sequences", Journal of the Royal Statistical Society B
    20, 1958.

    Examples
    --------
    These classes are separable, so only a penalty gives a minimum:

    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0.0, 0.0, 1.0, 1.0])
    >>> objective = st.Logistic(X, y, alpha=0.1)
    >>> round(objective.value(np.zeros(2)), 6)
    0.693147
    >>> w = st.minimize(objective).w
    >>> X @ w[:-1] + w[-1] > 0
    array([False, False,  True,  True])
    """

    _loss = "logistic"

    def _check_targets(self, y: Any) -> None:
        if isinstance(y, DeviceView):
            check_device_labels(y)
        else:
            check_labels(y)
