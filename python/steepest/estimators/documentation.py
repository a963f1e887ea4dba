"""The parts that the docstrings of the estimators share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ..optimizers.names import OPTIMIZERS

__all__ = ["documented", "with_notes"]

_Method = TypeVar("_Method", bound=Callable[..., Any])
_Class = TypeVar("_Class", bound=type[Any])

_PARAMETERS = """\
Parameters
----------
optimizer : str or optimizer
    An optimizer of ``st``, which is copied, or one of "auto", "quasi-newton", {names}.
    "auto" means Adam if ``batch_size`` is set and in `partial_fit`, and `QuasiNewton` on all rows otherwise.
learning_rate : float, schedule or "auto"
    The learning rate of an optimizer given by name. With "auto", "momentum", "nesterov" and "gradient-descent" take
    their rate from the curvature. The rate of "adam" and "rmsprop" falls from 0.05 to 0 over ``max_iter``, and the rate
    of "adagrad" from 0.5 to 0; these rates suit standardised columns. In `partial_fit`, the rate of "adam" and
    "rmsprop" is 0.05 / (1 + t / 1000) at step t, and the rate of "adagrad" is 0.5. That of the other three is
    r / sqrt(1 + t / 100), where r suits the largest curvature of all rows so far.
batch_size : int, optional
    Rows of a step. None means all rows in `fit`, and 32 in `partial_fit`.
shuffle : bool
    Whether mini-batches take the rows in a new random order in every epoch, and in every call of `partial_fit`. With
    False, they take them in the order of X.
alpha : float or None
    Strength of the penalty, at least 0. None means 1 / sum(sample_weight).
l1_ratio : float
    Share of the L1 norm in the penalty, 0 to 1.
penalty_weight : array of shape (n_features,), or dict of name to float, optional
    Factors of the penalty of each column, at least 0. A column of factor 0 is not penalised, and one of factor infinity
    is left out: its coefficient is 0. A dict names columns of a data frame, or coefficients such as ``column=level``;
    all others have the factor 1. In an array, a category has a factor for each coefficient.
positive : bool
    Whether the coefficients, but not the intercept, must be at least 0. `partial_fit` takes False alone.
fit_intercept : bool
    Whether the model has an intercept. The intercept is not penalised.
standardize : bool
    Whether to descend on columns of mean 0 and deviation 1. Without an intercept, columns are only scaled. The
    statistics are those of the training rows with their ``sample_weight``. X is neither changed nor made dense. The
    penalty applies to the coefficients of the standardised columns; ``coef_`` and ``intercept_`` are in the original
    units.
max_iter : int
    Largest number of epochs, at least 0. An epoch is a pass over the data; an iteration of QuasiNewton takes one or a
    few passes.
tol : float or "auto"
    The fit ends when the gradient norm is at most ``tol`` times its value at zero parameters. With an L1 penalty, the
    norm is that of the smallest subgradient. Where X is sparse or has categories, QuasiNewton's gradient is first
    divided by the roots of the Hessian's diagonal: rare columns are then fitted as well as others. With 0, only
    ``max_iter`` ends the fit. "auto" means 1e-10 for float64 and
    1e-6 for float32 if every step takes all rows and the curvature gives the rate; it means 0 otherwise.
early_stopping : bool
    Whether to end the fit when the validation loss has not fallen for ``n_iter_no_change`` passes. If `fit` gets no
    validation set, it holds out a part of the rows; a classifier holds out the same part of every class. Of data in
    parts it holds out random rows of each.
validation_fraction : float
    The part of the rows to hold out, above 0 and below 1.
n_iter_no_change : int
    Number of passes that ``early_stopping`` waits for a lower validation loss, at least 1.
"""

_CLASS_WEIGHT = """\
class_weight : dict, "balanced" or None
    A factor of the row weights for each class, at least 0. "balanced" gives all classes the same sum of weights. The
    factors apply to the validation loss too.
"""

_MORE_PARAMETERS = """\
categorical : "auto", None or sequence of names
    The columns of a data frame (pandas, polars or Arrow) that are categories. A category is one code a row and is never
    expanded, but has a coefficient ``column=level`` for each level. "auto" means text and the categorical dtypes. None
    takes no column for a category. The fit decides the levels: a categorical dtype says their order, others are sorted.
drop : "auto", "first" or None
    Whether a category has a coefficient for its first level. "first" leaves it out: the others are differences to it.
    None keeps all levels, which a penalty makes unique. "auto" means None if there is a penalty, else "first".
handle_missing : "error" or "level"
    What a missing category is: an error, or the level "(missing)". A missing number is always an error.
handle_unknown : "error", "baseline" or "zeros"
    What a level that the fit did not see is in later rows: an error, the first level, or a row without any level.
warm_start : bool
    Whether `fit` starts from the parameters of the last fit instead of zeros.
random_state : None, int or RandomState
    Seed of the order of the rows in mini-batches and of the choice of the rows to hold out.
n_jobs : int, optional
    Number of threads of the kernels. None means the number that ``st.threads`` sets, -1 means all. The result does not
    depend on it.
callbacks : callable or several, optional
    Each is called with a `Progress` after every pass, and ends the fit by returning True. ``w`` of the `Progress` has
    the parameters of the columns that the fit descends on, which may be scaled.
verbose : bool or int
    Whether to print a line for every pass.
"""

_ONLINE = """\
Notes
-----
The optimizer's state and the number of its steps go on from call to call, and with them a schedule. So do the
coefficients, unless you set others. Another ``learning_rate`` keeps the state and the number; another optimizer begins
anew.

If the batch size divides the chunks, calls over chunks have the bits of one `fit` over all their rows in that order,
with ``max_iter=1``, ``tol=0`` and the same ``batch_size``, smaller than the number of all rows. For this, set
``shuffle=False`` and numbers for ``learning_rate`` (or a schedule) and ``alpha``: the defaults of these two depend on
the number of steps, on the curvature or on the weights of all rows, which no call knows. ``standardize`` must be False,
as it takes the statistics of the rows so far.

A weight multiplies the loss of its row. `fit` divides the weights by their mean, which calls cannot know: the bits are
the same if that mean is 1. The entries of sparse rows decide whether a step costs these or all columns; where they
decide otherwise in a chunk than in all rows, the last digits may differ. ``alpha=None`` means 1 over the sum of all
weights so far.
"""

_ATTRIBUTES = """\
n_iter_ : int
    Number of epochs, as ``max_iter`` counts them.
history_ : dict of str to array
    The history of the run, as in `Result`. It has "validation_loss" if there is a validation set.
stop_reason_ : str
    The reason why the run ended, as in `Result`: "GradientNorm", "NoImprovement", "precision" (rounding allows no
    further step), "max_epochs", "callback", "separable" (there is no minimum), "rounding" (rounding hides the way
    down), "diverged" or "interrupted" (`fit` then raised KeyboardInterrupt).
converged_ : bool
    Whether a tolerance ended the run, or with ``tol="auto"`` the arithmetic, which allowed no further step.
diagnosis_ : str
    What went wrong in the run, or why it has not converged, as in `Result`. Rates and losses are those of the columns
    and targets that the fit descends on, which may be scaled.
n_features_in_ : int
    Number of columns of X.
feature_names_in_ : array of str, shape (n_features,)
    Names of the columns, if X has them. `get_feature_names_out` names the coefficients: in a data frame with
    categories, these are more than the columns.

Notes
-----
`clone`, pipelines, searches, pickling and data frames of pandas and polars work as with scikit-learn's own estimators.

X may be a sparse matrix of SciPy wherever it may be an array. CSR matrices of float32 and float64 are read in place,
other formats are converted by ``tocsr()``, and other numbers to float64. A fit and a prediction cost the non-zeros.
Nothing makes a sparse X dense: ``standardize`` centres its columns in the sums. float32 values are copied to float64 if
columns lie so far from zero that these sums would lose digits. Blocks of rows of up to 4096 columns are made dense
where a method looks at single rows, as after a fit without a penalty, to judge whether there is a minimum.
"""


def documented(estimator: _Class) -> _Class:
    """Fill the parts that the estimators share into the placeholders of a class's docstring."""
    has_classes = "class_weight" in inspect.signature(estimator).parameters
    names = ", ".join(f'"{name}"' for name in OPTIMIZERS)
    parameters = _PARAMETERS.replace("{names}", names) + _CLASS_WEIGHT * has_classes + _MORE_PARAMETERS
    text = inspect.getdoc(estimator) or ""
    heading = "\nAttributes\n----------\n"
    estimator.__doc__ = text.replace("{parameters}\n", parameters + heading).replace("{attributes}\n", _ATTRIBUTES)
    return estimator


def with_notes(method: _Method) -> _Method:
    """Fill the notes on calls over chunks into the docstring of `partial_fit`."""
    method.__doc__ = inspect.cleandoc(method.__doc__ or "").replace("{online}\n", _ONLINE + "\n")
    return method
