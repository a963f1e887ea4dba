"""`LinearRegressorCV`: `LinearRegressor` with a penalty that cross-validation chooses."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from ..arrays.hints import hinting
from .cross_validation import CrossValidated, Scores
from .documentation_cv import HINTS, documented_cv
from .regressor import LinearRegressor
from .shared_cv import Shared, with_shared

__all__ = ["LinearRegressorCV"]


@documented_cv
class LinearRegressorCV(CrossValidated, LinearRegressor):  # type: ignore[misc]
    """Linear regression with an elastic-net penalty, whose strength cross-validation chooses.

    The loss and the penalty are those of `LinearRegressor`. With the default ``l1_ratio`` of 1 it is scikit-learn's
    ``LassoCV``, and with several it is ``ElasticNetCV``; the alphas are twice as large, as the loss has no factor 1/2.

    {parameters}
    coef_ : array of shape (n_features,), the dtype of X
    intercept_ : number of the dtype of X
    mse_path_ : array
        For ``loss="least_squares"`` another name of ``loss_path_``: the mean squared errors of the rows held out.
    {attributes}

    Examples
    --------
    Two of ten columns matter:

    >>> import numpy as np
    >>> from steepest.estimators import LinearRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 10))
    >>> y = 3 * X[:, 0] - 2 * X[:, 1] + rng.standard_normal(200)
    >>> model = LinearRegressorCV(rule="one-standard-error").fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([0, 1])
    """

    mse_path_: NDArray[np.float64]

    @hinting(**HINTS)
    @with_shared
    def __init__(self, *, loss: str = "least_squares", delta: float = 1.35, **shared: Unpack[Shared]) -> None:
        self._keep({"loss": loss, "delta": delta, **shared})

    def _keep_scores(self, chosen: Scores, at: int, scores: list[Scores]) -> None:
        super()._keep_scores(chosen, at, scores)
        self.__dict__.pop("mse_path_", None)
        if self.loss == "least_squares":
            self.mse_path_ = self.loss_path_
