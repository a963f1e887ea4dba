"""`summary`: standard errors, tests and intervals of a fitted model's coefficients, and how well the model fits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..arrays.checks import check_number, describe
from ..estimators.blas import on_one_thread
from ..estimators.fitted import FittedModel
from .estimate import Estimate
from .refusals import check_model, check_separable
from .result import Summary

__all__ = ["summary"]

_COVARIANCES = ("auto", "classical", "sandwich", "HC0", "HC1")
_WEIGHTS = ("copies", "sampling")


def summary(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    level: float = 0.95,
    covariance: Literal["auto", "classical", "sandwich", "HC0", "HC1"] = "auto",
    weights_are: Literal["copies", "sampling"] = "copies",
    offset: Any = None,
) -> Summary:
    """Return the coefficients of a fitted model with standard errors, tests and intervals, and how well it fits.

    Parameters
    ----------
    model : LinearRegressor or LogisticClassifier
        A fitted model without an L1 penalty, of one target. For `LinearRegressorCV` and `LogisticClassifierCV` the
        penalty is the chosen one; that the rows chose it does not count.
    X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        The rows of the fit, in the host's memory.
    y : array-like of shape (n_samples,)
        Their targets.
    sample_weight : array-like of shape (n_samples,), optional
        Their weights, as in the fit.
    level : float
        The level of the confidence intervals, above 0 and below 1.
    covariance : {"auto", "classical", "sandwich", "HC0", "HC1"}
        "classical" is the inverse of the Hessian, times the dispersion for least squares. It assumes that the errors of
        least squares have equal variances, and that the variance of a count is its mean. "HC0" puts the outer products
        of the rows' gradients between two inverses, and assumes neither. "HC1" is "HC0" times n / (n - p), and
        "sandwich" is another name for "HC1". "auto" is "classical" if the loss is a likelihood and weights are copies,
        and "HC1" otherwise.
    weights_are : {"copies", "sampling"}
        What the weights mean. With "copies", a weight of k means k copies of the row, and n is the sum of the weights.
        With "sampling", a row stands for k rows of a population, of which it alone was seen, or its weight is a
        precision. Then n is the number of rows, a common factor of all weights changes nothing, and the covariance is
        a sandwich. The weights of classes (``class_weight``) never are copies.
    offset : array-like of shape (n_samples,), or (n_samples, n_classes) of more than two classes, or number, optional
        Known parts of the scores, as in the fit.

    Returns
    -------
    Summary

    Raises
    ------
    NotFittedError
        The model is not fitted.
    TypeError, ValueError
        An argument has the wrong type or value, or the rows are not like those of the fit. Or there are no standard
        errors, as the message explains: an L1 penalty or bounds, columns that depend on each other (the message names
        them), separable classes, no more rows than parameters, or a gradient that is not 0 at the fitted parameters
        because X and y are other rows than those of the fit, or because the fit has not converged.

    Notes
    -----
    The covariance of maximum-likelihood estimates is the inverse of the Hessian of the negative log-likelihood:
    McCullagh and Nelder, "Generalized Linear Models", 2nd edition, 1989. The sandwich is that of White, "A
    Heteroskedasticity-Consistent Covariance Matrix Estimator and a Direct Test for Heteroskedasticity", Econometrica
    48, 1980; HC1 is named by MacKinnon and White, "Some Heteroskedasticity-Consistent Covariance Matrix Estimators with
    Improved Finite Sample Properties", Journal of Econometrics 29, 1985. With Huber's loss it is that of M-estimates:
    Huber, "Robust Estimation of a Location Parameter", 1964. The sandwich of weights that are no copies squares them:
    Lumley, "Complex Surveys", 2010.

    Least squares has t statistics with n - p degrees of freedom and the dispersion RSS / (n - p); all other losses have
    z statistics and the dispersion 1. AIC and BIC count p parameters: the dispersion is not one of them.

    With an L2 penalty, the Hessian is that of the penalised loss, p is the effective number of parameters, and a note
    says so: the classical covariance is then that of the posterior distribution for a normal prior (Wood, "Generalized
    Additive Models", 2nd edition, 2017, section 6.10). The intervals are about the shrunken coefficients.

    With more than two classes, adding the same numbers to the coefficients of every class changes no probability. So
    the table has the differences to the first class.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X @ [1.0, 0.0] + 3.0 + rng.normal(size=200)
    >>> found = st.summary(st.LinearRegressor().fit(X, y), X, y)
    >>> found.names
    ['x0', 'x1', '(intercept)']
    >>> found.standard_errors.round(2)
    array([0.07, 0.07, 0.07])
    >>> found.p_values < 0.01
    array([ True, False,  True])
    >>> found.degrees_of_freedom
    197.0
    """
    level = check_number("level", level, above=0.0, below=1.0)
    for name, value, known in (("covariance", covariance, _COVARIANCES), ("weights_are", weights_are, _WEIGHTS)):
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {describe(value)}")
    given = FittedModel.of(model, X, y, sample_weight, offset)
    check_model(given)
    check_separable(given)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"), on_one_thread():
        return Estimate(given, _kind(given, covariance, weights_are), weights_are == "sampling").summary(level)


def _kind(given: FittedModel, covariance: str, weights_are: str) -> str:
    """Return how the covariance is estimated, with "auto" resolved."""
    if given.loss.may_be_flat:
        why = f"the loss {given.loss.__name__} is no likelihood"
    elif given.factors is not None:
        why = "class_weight makes weights that are no copies"
    elif weights_are == "sampling":
        why = "weights of sampled rows are no copies"
    else:
        why = ""
    if covariance == "classical" and why:
        raise ValueError(f"covariance must be a sandwich ('HC0' or 'HC1'), as {why}, got 'classical'")
    if covariance == "auto":
        return "HC1" if why else "classical"
    return "HC1" if covariance == "sandwich" else covariance
