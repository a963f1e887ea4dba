"""`LinearRegressor`: least squares with scikit-learn's contract."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..objectives.data import DataObjective
from ..objectives.losses import LeastSquares
from .base import LinearModel, available_if, takes_steps
from .conversion import naming_faults
from .documentation import documented
from .training import Parameters

__all__ = ["LOSSES", "LinearRegressor"]

LOSSES = ("least_squares",)  # the names of the losses

RegressorMixin: Any = require("sklearn.base", "sklearn").RegressorMixin


@documented
class LinearRegressor(RegressorMixin, LinearModel):  # type: ignore[misc]
    """Linear regression by the mean squared error, with an elastic-net penalty.

    ::

        F(w, b) = sum_i s_i (x_i . w + b - y_i)^2 / sum_i s_i + alpha (l1_ratio |w|_1 + (1 - l1_ratio) / 2 |w|^2)

    These settings give the coefficients of scikit-learn's estimators:

    - ``LinearRegression()``: the default.
    - ``Ridge(alpha=a)``: ``alpha = 2 * a / sum(sample_weight)``. Without weights the sum is n_samples.
    - ``ElasticNet(alpha=a)``: ``alpha = 2 * a`` with the same ``l1_ratio``.
    - ``Lasso(alpha=a)``: ``alpha = 2 * a`` with ``l1_ratio=1``.

    If columns depend on each other, or outnumber the rows, many coefficients fit equally well without a penalty.
    LinearRegression then returns the shortest ones; this estimator may return others.

    {parameters}
    coef_ : array of shape (n_features,), the dtype of X
    intercept_ : number of the dtype of X
    {attributes}

    Examples
    --------
    Targets 2 x_1 + x_2 + 1:

    >>> import numpy as np
    >>> from steepest.estimators import LinearRegressor
    >>> X, y = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]), np.array([3.0, 6.0, 7.0, 10.0])
    >>> model = LinearRegressor().fit(X, y)
    >>> model.coef_.round(6), round(float(model.intercept_), 6)
    (array([2., 1.]), 1.0)
    >>> model.predict(np.array([[5.0, 2.0]])).round(6)
    array([13.])
    """

    def __init__(
        self,
        optimizer: Any = "auto",
        *,
        learning_rate: Any = "auto",
        batch_size: int | None = None,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        standardize: bool = False,
        max_iter: int = 1000,
        tol: float | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        callbacks: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self._keep(locals())

    @available_if(takes_steps)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearRegressor:
        """Take the steps of one epoch over some rows, from the current parameters.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            The rows.
        y : array-like of shape (n,)
            The targets of the rows.
        sample_weight : array-like of shape (n,), optional
            The weights of the rows.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As for `fit`.
        AttributeError
            The optimizer is QuasiNewton, which needs all rows at once.
        """
        with self._unchanged_by_errors():
            self._go_on(X, y, sample_weight, first=not hasattr(self, "coef_"))
        self._raise_if_interrupted()
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted targets, of shape (n,), for X of shape (n, n_features)."""
        return self._scores(X)

    def _checked_targets(self, y: Any, sample_weight: Any, dtype: Any) -> NDArray[Any]:
        return self._more_targets(y, dtype)

    def _more_targets(self, y: Any, dtype: Any) -> NDArray[Any]:
        with naming_faults(None, y):
            targets = np.ascontiguousarray(y, dtype=dtype)
        if targets.dtype != y.dtype and not np.isfinite(targets).all():
            raise ValueError(f"y must be within {targets.dtype}, the dtype of X, got {np.abs(y).max():g}")
        return targets

    def _loss(self) -> tuple[type[DataObjective], int, dict[str, Any]]:
        return LeastSquares, 1, {}

    def _store(self, parameters: Parameters, dtype: Any) -> None:
        self.coef_ = parameters.coefficients[0].astype(dtype)
        self.intercept_ = parameters.intercepts.astype(dtype)[0]
