"""`FittedModel`: a fitted estimator and rows with their targets, checked, as the loss takes them."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..objectives.data import DataObjective
from .base import LinearModel, is_regressor, validation
from .features import taken
from .labels import class_factors
from .offsets import row_offsets
from .penalties import column_factors
from .predictions import in_parts
from .rows import Parameters, Rows
from .settings import FitSettings

__all__ = ["FittedModel"]


@dataclass(frozen=True)
class FittedModel:
    """A fitted estimator, and rows with their targets and weights.

    Attributes
    ----------
    loss : subclass of DataObjective
        The loss that the estimator minimises.
    options : dict
        Further arguments of the loss.
    parameters : Parameters
        The coefficients, of shape (k, n_coefficients), and the intercepts, of shape (k,).
    settings : FitSettings
        The parameters of the estimator.
    alpha : float
        The strength of the penalty for these rows.
    penalty_weight : array of shape (n_coefficients,), or None
        By what the penalty of each coefficient is multiplied.
    is_positive : bool
        Whether the coefficients are bounded by 0.
    names : list of str
        The names of the coefficients.
    classes : array or None
        The classes of a classifier.
    rows : Rows
        The rows that have a weight above 0.
    offset : array of shape (n,), or (n, k) of several scores a row, or None
        The offsets of the scores of these rows.
    stop_reason, diagnosis : str
        What the estimator says of its fit.
    eps : float
        The machine epsilon of the coefficients' dtype.
    """

    loss: type[DataObjective]
    options: dict[str, Any]
    parameters: Parameters
    settings: FitSettings
    alpha: float
    penalty_weight: NDArray[np.float64] | None
    is_positive: bool
    names: list[str]
    classes: Any
    rows: Rows
    offset: Any
    stop_reason: str
    diagnosis: str
    eps: float

    @classmethod
    def of(cls, model: Any, X: Any, y: Any, sample_weight: Any, offset: Any) -> FittedModel:
        """Return a fitted estimator with rows like those of its fit.

        Raises
        ------
        NotFittedError
            The model is not fitted.
        TypeError, ValueError
            The model is no estimator of this package. Or the rows are not like those of the fit: other columns, other
            levels, unknown classes.
        """
        if isinstance(model, type) or not isinstance(model, LinearModel):
            last = "; take its last step, and the X that the steps before it return" * hasattr(model, "steps")
            raise TypeError(f"model must be a LinearRegressor or a LogisticClassifier, got {describe(model)}{last}")
        if in_parts(X):
            raise TypeError("X must be an array, a sparse matrix or a data frame here, got data in parts")
        validation.check_is_fitted(model, ["coef_", "intercept_"])
        eps = float(np.finfo(getattr(model.coef_, "dtype", np.float64)).eps)
        model = copy.copy(model)  # checks may set attributes
        settings = model._fitted_settings()
        with np.errstate(over="ignore", invalid="ignore"):
            X, y, weight = model._checked_data(X, y, sample_weight, reset=False)
            y = model._more_targets(y, X.dtype)
            if not is_regressor(model) and not hasattr(model, "_factors"):  # a model file has none
                model._factors = class_factors(model.class_weight, model.classes_, y, weight)
            if offset is not None:
                offset = row_offsets(offset, len(y), np.dtype(np.float64), n_scores=model._loss()[1])
            rows, offset = _with_weight(model._rows(X, y, weight), offset)
        loss, _, options = model._loss()
        _check_offset_fits(model, loss, offset)
        parameters, classes = model._parameters_and_classes()
        return cls(
            loss=loss,
            options=options,
            parameters=parameters,
            settings=settings,
            alpha=1.0 / rows.total() if settings.alpha is None else settings.alpha,
            penalty_weight=None if settings.penalty_weight is None else column_factors(model),
            is_positive=settings.positive,
            names=[str(name) for name in model.get_feature_names_out()],
            classes=classes,
            rows=rows,
            offset=offset,
            stop_reason=getattr(model, "stop_reason_", ""),
            diagnosis=getattr(model, "diagnosis_", ""),
            eps=eps,
        )

    @property
    def factors(self) -> NDArray[np.float64] | None:
        """By what the class of each row multiplies its weight; None if by 1."""
        given, whole = self.rows.sample_weight, self.rows.loss_weight
        if whole is None or whole is given:
            return None
        found = whole.astype(np.float64) / (1.0 if given is None else given)
        return None if (found == 1.0).all() else found


def _check_offset_fits(model: Any, loss: type[DataObjective], offset: Any) -> None:
    if offset is None and getattr(model, "_has_offset", False):
        raise ValueError("offset must be that of the fit, got None, but the model was fitted with one")
    if offset is not None and "offset" not in inspect.signature(loss).parameters:
        raise TypeError(f"offset must be None, as {loss.__name__} takes none, got numbers")


def _with_weight(rows: Rows, offset: Any) -> tuple[Rows, Any]:
    """Return the rows whose weight is above 0. They are copied if others are left out."""
    weight = rows.loss_weight
    if weight is None or (weight > 0).all():
        return rows, offset
    index = np.flatnonzero(weight > 0)
    if not len(index):
        raise ValueError("sample_weight and class_weight must leave some row a weight above 0, got 0 for all")
    given = None if rows.sample_weight is None else rows.sample_weight[index]
    found = Rows(taken(rows.X, index), rows.y[index], given, weight[index])
    return found, None if offset is None else offset[index]
