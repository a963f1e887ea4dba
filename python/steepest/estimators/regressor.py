"""`LinearRegressor`: the losses of quantities with scikit-learn's contract."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_number, describe
from ..arrays.hints import OF_ESTIMATORS, hinting
from ..extras import require
from ..objectives.data import LOSSES, DataObjective
from .base import LinearModel, available_if, takes_steps
from .conversion import naming_faults
from .documentation import documented, with_notes
from .features import cast
from .frames import n_coefficients
from .online import Online
from .predictions import ScoredInParts, by_parts
from .several import fit_targets, stacked
from .training import Parameters

__all__ = ["OFFERED", "LinearRegressor"]

OFFERED = {name: loss for name, loss in LOSSES.items() if loss.regressor_options is not None}

RegressorMixin: Any = require("sklearn.base", "sklearn").RegressorMixin


@documented
class LinearRegressor(ScoredInParts, RegressorMixin, LinearModel):  # type: ignore[misc]
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

    With ``loss="huber"`` the squared errors are those of `Huber` instead: beyond ``delta``, a number in the units of y,
    2 delta abs(r) - delta^2 takes the place of r^2. scikit-learn's ``HuberRegressor`` estimates that number from the
    rows, as its ``epsilon * scale_``.

    With ``loss="poisson"`` the loss is that of `Poisson`, for targets of at least 0: the mean of a row is
    exp(x . w + b), and `predict` returns these means. ``PoissonRegressor(alpha=a)`` of scikit-learn has the same
    coefficients with the same alpha. `score` is R^2 for every loss, of the predicted means.

    {parameters}
    coef_ : array of shape (n_features,), or (n_targets, n_features) for a y of two dimensions, the dtype of X
    intercept_ : number of the dtype of X, or array of shape (n_targets,)
    {attributes}

    y may have several targets, in the shape (n_samples, n_targets). Predictions then have that shape, and ``coef_``,
    ``intercept_``, ``n_iter_``, ``converged_``, ``history_``, ``stop_reason_`` and ``diagnosis_`` have an element for
    each target. `score` is the mean of R^2 over the targets. Least squares by QuasiNewton without an L1 norm, of up to
    4,096 columns, and of up to 400 for each target if rows are many, forms and factors the Hessian once for all
    targets. Two or three passes follow. A pass over a dense X serves all targets; sparse rows are read for each. A
    target whose gradient does not reach the tolerance that way goes on by itself. All other settings take a fit for
    each target over the same X, with the bits of a fit to that target alone. `partial_fit` and checkpoints take one
    target. Ctrl-C keeps nothing of a fit to several.

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

    @hinting(**OF_ESTIMATORS)
    def __init__(
        self,
        optimizer: Any = "auto",
        *,
        loss: str = "least_squares",
        delta: float = 1.35,
        learning_rate: Any = "auto",
        batch_size: int | None = None,
        shuffle: bool = True,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        penalty_weight: Any = None,
        positive: bool = False,
        fit_intercept: bool = True,
        standardize: bool = False,
        max_iter: int = 1000,
        tol: float | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        categorical: Any = "auto",
        drop: str | None = "auto",
        handle_missing: str = "error",
        handle_unknown: str = "error",
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        callbacks: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self._keep(locals())

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags. There may be several targets. Those of counts must be at least 0."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        kind = LOSSES.get(self.loss) if isinstance(self.loss, str) else None
        tags.target_tags.positive_only = kind is not None and kind.is_of_counts
        return tags

    @available_if(takes_steps)
    @with_notes
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Take the steps of one epoch over some rows, from the current parameters.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, n_features)
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

        {online}

        Examples
        --------
        Chunks of rows, in their order:

        >>> import numpy as np
        >>> from steepest.estimators import LinearRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((1000, 2))
        >>> y = X @ [2.0, -1.0] + 1.0
        >>> settings = {"learning_rate": 0.05, "batch_size": 5, "shuffle": False}
        >>> online = LinearRegressor("momentum", **settings)
        >>> for rows in np.split(np.arange(1000), 10):
        ...     online = online.partial_fit(X[rows], y[rows])
        >>> online.coef_.round(3)
        array([ 2., -1.])
        >>> whole = LinearRegressor("momentum", max_iter=1, tol=0, **settings).fit(X, y)
        >>> bool(np.array_equal(online.coef_, whole.coef_))
        True
        """
        k = len(np.atleast_1d(getattr(self, "intercept_", 0.0)))
        if np.ndim(getattr(self, "intercept_", 0.0)) == 1 and np.shape(self.coef_) == (k, n_coefficients(self)):
            raise ValueError(f"partial_fit takes one target, and this model was fitted to {k}; make a new one")
        with self._unchanged_by_errors():
            self._go_on(X, y, sample_weight, first=not hasattr(self, "coef_"))
        self._raise_if_interrupted()
        return self

    @by_parts
    def predict(self, X: Any, offset: Any = None) -> NDArray[Any]:
        """Return the predicted targets, of shape (n,), for X of shape (n, n_features); (n, n_targets) for several.

        ``offset``, of shape (n,) or one number, is added to the scores. A model that was fitted with one needs it. With
        ``loss="poisson"`` the predictions are the means exp(x . w + b + offset), which may overflow to infinity.

        X may be a dense array in a CUDA device's memory. The predictions are then there too, as an array of the same
        library.
        """
        scores = self._scores(X, offset)
        scores = scores if np.ndim(self.intercept_) == 1 else scores.ravel()
        return self._kind(getattr(self, "_fitted_loss", self.loss)).inverse_link(scores)

    def _checked_target(self, y: NDArray[Any], j: int, sample_weight: Any, dtype: Any) -> NDArray[Any]:
        """Return one of several targets, as the loss takes it."""
        try:
            return self._checked_targets(y, sample_weight, dtype)
        except ValueError as error:
            raise ValueError(f"target {j} of y: {error}") from error

    def _fit_several(self, settings: Any, X: Any, y: Any, sample_weight: Any, held_out: Any, saved: Any) -> None:
        X_val, y_val = held_out
        validation = None if X_val is None else self._validation_targets(X_val, y_val, y.shape[1], X.dtype)
        outcomes = fit_targets(self, settings, X, y, sample_weight, validation, saved)
        self._fitted_loss, found = self.loss, stacked(outcomes)
        self.coef_, self.intercept_ = found.coefficients.astype(X.dtype), found.intercepts.astype(X.dtype)
        results = [each.result for each in outcomes]
        self.n_iter_ = np.array([each.n_epochs for each in results])
        self.converged_ = np.array([each.converged for each in results])
        self.history_ = [each.history for each in results]
        self.stop_reason_ = [str(each.stop_reason) for each in results]
        self.diagnosis_ = [str(each.diagnosis) for each in results]
        self._online = Online()

    def _validation_targets(self, X: Any, y: Any, k: int, dtype: Any) -> tuple[Any, list[NDArray[Any]]]:
        """Return X and each target of a validation set."""
        try:
            X, y, _ = self._checked_data(X, y, None, reset=False, several=True)
            if y.ndim != 2 or y.shape[1] != k:
                raise ValueError(f"y_val must have {k} targets, as y, got {describe(y)}")
            targets = [self._checked_target(np.ascontiguousarray(y[:, j]), j, None, dtype) for j in range(k)]
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"X_val and y_val must be like X and y: {error}") from error
        return cast("X_val", X, dtype), targets

    def _previous_targets(self) -> Parameters | None:
        """Return the parameters of the last fit, to several targets, if there was one."""
        if not hasattr(self, "coef_"):
            return None
        found, _ = self._parameters_and_classes()
        shape = len(found.coefficients), n_coefficients(self)
        if found.coefficients.shape != shape or found.intercepts.shape != shape[:1]:
            raise ValueError(
                f"coef_ must have shape {shape} to start from (warm_start), got {found.coefficients.shape}"
            )
        return found

    def _checked_targets(self, y: Any, sample_weight: Any, dtype: Any) -> NDArray[Any]:
        return self._more_targets(y, dtype)

    def _more_targets(self, y: Any, dtype: Any) -> NDArray[Any]:
        with naming_faults(None, y):
            targets = np.ascontiguousarray(y, dtype=dtype)
        if targets.dtype != y.dtype and not np.isfinite(targets).all():
            raise ValueError(f"y must be within {targets.dtype}, the dtype of X, got {np.abs(y).max():g}")
        self._kind(self.loss).check_targets(targets)
        return targets

    @staticmethod
    def _kind(name: Any) -> type[DataObjective]:
        """Return the loss of a name."""
        if not isinstance(name, str) or name not in OFFERED:
            *names, last = map(repr, OFFERED)
            raise ValueError(f"loss must be {', '.join(names)} or {last}, got {describe(name)}")
        return OFFERED[name]

    def _loss(self) -> tuple[type[DataObjective], int, dict[str, Any]]:
        kind = self._kind(self.loss)
        options = kind.regressor_options or ()
        return kind, 1, {name: check_number(name, getattr(self, name), above=0.0) for name in options}

    def _store(self, parameters: Parameters, dtype: Any) -> None:
        self._fitted_loss = self.loss
        self.intercept_ = parameters.intercepts.astype(dtype)[0]
        self._set_coefficients(parameters.coefficients.astype(dtype))

    def _set_coefficients(self, table: NDArray[Any]) -> None:
        self.coef_ = table if np.ndim(self.intercept_) == 1 else table[0]
