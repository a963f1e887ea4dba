"""What the docstrings of the estimators have in common."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

__all__ = ["documented"]

_Class = TypeVar("_Class", bound=type[Any])

_PARAMETERS = """\
Parameters
----------
optimizer : str or optimizer
    "auto": `QuasiNewton` on all rows; Adam where ``batch_size`` is set and in `partial_fit`. Or "quasi-newton", "adam",
    "rmsprop", "adagrad", "momentum", "nesterov", "gradient-descent", or an optimizer of ``st``, which is copied.
learning_rate : float, schedule or "auto"
    For an optimizer given by name. "auto": from the curvature for "momentum", "nesterov" and "gradient-descent"; 0.05
    (adam, rmsprop) or 0.5 (adagrad) down to 0 over ``max_iter`` for the others, which suits standardised columns. In
    `partial_fit` these are 0.05 / (1 + t / 1000) at step t and 0.5.
batch_size : int, optional
    Rows of a step; None for all, and for 32 in `partial_fit`.
alpha : float or None
    Strength of the penalty, at least 0; None for 1 / sum(sample_weight).
l1_ratio : float
    Share of the L1 norm in the penalty, 0 to 1.
fit_intercept : bool
    Whether there is an intercept; it is not penalised.
standardize : bool
    Whether to descend on columns of mean 0 and deviation 1 (only scaled without an intercept). The statistics are
    those of the training rows with their ``sample_weight``; X is neither copied nor changed. The penalty is that of
    the coefficients of the standardised columns; ``coef_`` and ``intercept_`` are in the original units.
max_iter : int
    Most epochs, at least 0: passes over the data, or iterations of QuasiNewton, which are one or a few passes.
tol : float or "auto"
    The fit ends where the norm of the gradient (with L1 that of the smallest subgradient) is at most ``tol`` times what
    it is at zeros; with 0 ``max_iter`` ends it. "auto": 1e-10 for float64 and 1e-6 for float32 on all rows at rates
    that the curvature gives, else 0.
early_stopping : bool
    Whether to end where the validation loss has not become lower for ``n_iter_no_change`` passes. Without a validation
    set given to `fit`, a part of the rows is held out, of every class as many as its share.
validation_fraction : float
    That part, above 0 and below 1.
n_iter_no_change : int
    At least 1.
"""

_CLASS_WEIGHT = """\
class_weight : dict, "balanced" or None
    Factors of the weights of the rows, by class, at least 0; "balanced" gives all classes the same sum. The validation
    loss has them too.
"""

_MORE_PARAMETERS = """\
warm_start : bool
    Whether `fit` starts from the parameters of the last one instead of zeros.
random_state : None, int or RandomState
    Decides the order of the rows in mini-batches and which rows are held out.
n_jobs : int, optional
    Threads of the kernels: None for as many as ``st.threads`` says, -1 for all. The result does not depend on it.
callbacks : callable or several, optional
    Called with a `Progress` after every pass, whose ``w`` are the parameters of the columns as they are descended on;
    True ends the fit.
verbose : bool or int
    Whether to print a line for every pass.
"""

_ATTRIBUTES = """\
n_iter_ : int
    Epochs, as ``max_iter`` counts them.
history_ : dict of str to array
    That of `Result`, with "validation_loss" where there is a validation set.
stop_reason_ : str
    That of `Result`: "GradientNorm", "NoImprovement", "precision" (rounding allows no further step), "max_epochs",
    "callback", "separable" (there is no minimum), "rounding" (it hides the way down), "diverged" or
    "interrupted" (after the KeyboardInterrupt that `fit` raised).
n_features_in_ : int
feature_names_in_ : array of str, shape (n_features,)
    Where X has names of columns.

Notes
-----
`clone`, pipelines, searches, pickling and data frames of pandas and polars work as with scikit-learn's own. Sparse X is
not supported.
"""


def documented(estimator: _Class) -> _Class:
    """Fill in what the class's docstring leaves to this page."""
    has_classes = "class_weight" in inspect.signature(estimator).parameters
    parameters = _PARAMETERS + _CLASS_WEIGHT * has_classes + _MORE_PARAMETERS
    text = inspect.getdoc(estimator) or ""
    heading = "\nAttributes\n----------\n"
    estimator.__doc__ = text.replace("{parameters}\n", parameters + heading).replace("{attributes}", _ATTRIBUTES)
    return estimator
