"""The parts of docstrings that the cross-validated estimators share."""

from __future__ import annotations

import inspect
from typing import TypeVar

from ..arrays.hints import OF_ESTIMATORS

__all__ = ["HINTS", "documented_cv"]

_Class = TypeVar("_Class", bound=type)

HINTS = OF_ESTIMATORS | {
    "alpha": "alphas=[...]",
    "Cs": "alphas=..., which are 1 / (C * n_samples)",
    "l1_ratios": "l1_ratio=[...]",
    "eps": "smallest=..., the smallest alpha as a share of the largest",
    "folds": "cv=...",
    "n_folds": "cv=...",
    "nfolds": "cv=...",
    "random_state": "cv=KFold(..., shuffle=True, random_state=...)",
    "selection": "rule=...",
}

_PARAMETERS = """\
Parameters
----------
l1_ratio : float, or sequence of float
    Share of the L1 norm in the penalty, 0 to 1. Of several, cross-validation chooses one.
alphas : array-like of shape (n_alphas,), optional
    The strengths of the penalty, above 0. By default they are those of `path` over all rows, for each l1_ratio.
n_alphas : int
    The number of strengths if ``alphas`` is None.
smallest : float, optional
    The smallest alpha as a share of the largest, if ``alphas`` is None: see `path`.
cv : int, splitter or iterable, optional
    The number of folds, a splitter of scikit-learn, or pairs of rows to train on and rows to hold out. The default is
    5, or as many as there are rows (of the rarest class), at least 2, where these are fewer. Rows are not shuffled, as
    in scikit-learn: give ``KFold(5, shuffle=True)`` where their order means something.
rule : "best" or "one-standard-error"
    Which alpha is chosen: the one with the lowest mean loss over the folds, or the largest one whose mean is at most
    one standard error above that (Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", 1984). The
    weights of the rows that a fold holds out are the weight of the fold.
"""

_LOSS = """\
loss, delta : str, float
    The loss, as for `LinearRegressor`.
"""

_CLASSES = """\
scoring : "loss" or "accuracy"
    What is chosen by: the mean loss of the rows held out, or the share of them whose class is predicted.
class_weight : dict, "balanced" or None
    A factor of the row weights for each class, as for `LogisticClassifier`. "balanced" takes the classes of all rows.
"""

_MORE_PARAMETERS = """\
penalty_weight, positive
    Factors of the penalty of each column, and whether the coefficients must be at least 0, as for the estimator without
    cross-validation.
fit_intercept : bool
    Whether to fit an intercept. It is not penalised.
standardize : bool
    Whether to scale all columns to mean 0 and standard deviation 1, by the statistics of the rows that are trained on.
    X is neither changed nor made dense.
max_iter, tol
    Bounds of the last fit, to all rows, as for the estimator without cross-validation.
categorical, drop, handle_missing, handle_unknown
    The categories of data frames, as for the estimator without cross-validation.
n_jobs : int, optional
    Number of threads of the kernels. None means the number that ``st.threads`` sets, -1 means all. The result does not
    depend on it.
"""

_ATTRIBUTES = """\
alpha_, l1_ratio_ : float
    The penalty that was chosen.
alphas_ : array of shape (n_alphas,), or (n_l1_ratios, n_alphas) for several l1_ratios
    The strengths, the largest first.
loss_path_ : array of shape (n_alphas, n_folds), or (n_l1_ratios, n_alphas, n_folds) for several l1_ratios
    The mean loss of the rows that each fold holds out, without the penalty.
path_ : Path
    The path of all rows at the chosen l1_ratio; ``path_.plot(alpha=model.alpha_)`` draws it. With ``standardize`` its
    coefficients are those of the standardised columns.
n_iter_, history_, stop_reason_, converged_, diagnosis_
    The outcome of the last fit, to all rows, as for the estimator without cross-validation.
n_features_in_ : int
    Number of columns of X.
feature_names_in_ : array of str, shape (n_features,)
    Names of the columns, if X has them.

Notes
-----
The folds are weights of 0 on one X, which is used in place. Each fold fits one path over all strengths, and reads the
rows that it holds out once for all of them.
"""


def documented_cv(estimator: _Class) -> _Class:
    """Fill the parts that the cross-validated estimators share into the placeholders of a class's docstring."""
    own = _CLASSES if "scoring" in inspect.signature(estimator).parameters else _LOSS
    text = inspect.getdoc(estimator) or ""
    heading = "\nAttributes\n----------\n"
    text = text.replace("{parameters}\n", _PARAMETERS + own + _MORE_PARAMETERS + heading)
    estimator.__doc__ = text.replace("{attributes}\n", _ATTRIBUTES)
    return estimator
