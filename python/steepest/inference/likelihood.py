"""The likelihood of a fit: log-likelihood, deviance, and those of the model without coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimators.fitted import FittedModel
from ..extras import require
from ..objectives.data import DataObjective

__all__ = ["Likelihood"]

Array = NDArray[np.float64]
_STEPS = 50


@dataclass(frozen=True)
class Likelihood:
    """What the losses of the rows say of a fit. NaN where the loss is no likelihood.

    Attributes
    ----------
    log_likelihood : float
        Of the targets, with all constants. For least squares the errors have the variance that maximises it.
    deviance, null_deviance : float
        Twice the log-likelihood that is missing to that of a perfect model: of this model, and of the model without
        coefficients. For least squares, the sums of squares.
    """

    log_likelihood: float
    deviance: float
    null_deviance: float

    @classmethod
    def of(cls, given: FittedModel, value: float, unit: float) -> Likelihood:
        """Return the likelihood of a fit whose rows' losses, in squares of a unit, have a sum."""
        if given.loss.may_be_flat:
            return cls(math.nan, math.nan, math.nan)
        rows, total = given.rows, given.rows.total()
        y = rows.y.astype(np.float64)
        weight = np.ones(len(y)) if rows.loss_weight is None else rows.loss_weight.astype(np.float64)
        null = total * _null_loss(given, y / unit, unit)
        if given.loss.is_of_residuals:
            with np.errstate(divide="ignore"):
                spread = float(np.log(2.0 * math.pi * value / total)) + 2.0 * math.log(unit)
            return cls(-total / 2.0 * (spread + 1.0), value * unit**2, null * unit**2)
        perfect = constant = 0.0
        if given.loss.is_of_counts:
            special = require("scipy.special", "sklearn")
            perfect = float(weight @ (y - special.xlogy(y, y)))
            constant = float(weight @ special.gammaln(y + 1.0))
        return cls(-value - constant, 2.0 * (value - perfect), 2.0 * (null - perfect))


def _null_loss(given: FittedModel, y: Array, unit: float) -> float:
    """Return the mean loss of the best intercept alone; of zeros for a model without an intercept."""
    weight, intercept = given.rows.loss_weight, given.settings.fit_intercept
    more: dict[str, Any] = {} if given.offset is None else {"offset": np.ascontiguousarray(given.offset / unit)}
    objective = given.loss(
        np.zeros((len(y), 1)),
        np.ascontiguousarray(y),
        sample_weight=None if weight is None else weight.astype(np.float64),
        intercept=intercept,
        **given.options,
        **more,
    )
    w = objective.constant_model() if intercept else np.zeros(objective.n_parameters)
    return float(objective.value(w if given.offset is None or not intercept else _best_constant(objective, w)))


def _best_constant(objective: DataObjective, w: Array) -> Array:
    """Return the parameters of the best intercepts, by Newton's method. Offsets leave no formula for them."""
    value = objective.value(w)
    for _ in range(_STEPS):
        _, gradient, hessian = objective.native.value_gradient_and_hessian(w)
        step: Any = np.linalg.lstsq(np.asarray(hessian), np.asarray(gradient), rcond=1e-12)[0]
        size = 1.0
        while (new := objective.value(w - size * step)) > value and size > 1e-6:
            size /= 2.0
        if not new < value:
            break
        w, value = w - size * step, new
    return w
