"""The NumPy twin of every loss, update rule and constraint: slow, obvious, and what every kernel is held against.

Everything is computed in float64 whatever comes in, and nothing is changed in place. This
folder may use NumPy only, and only tests and users may use it.
"""

from .arrays import Array
from .losses import least_squares, least_squares_hessian, logistic, logistic_hessian
from .projections import project_box, project_simplex
from .rules import State, adagrad, adam, gradient_descent, momentum, rmsprop, soft_threshold
from .softmax import softmax, softmax_hessian

__all__ = [
    "Array",
    "State",
    "adagrad",
    "adam",
    "gradient_descent",
    "least_squares",
    "least_squares_hessian",
    "logistic",
    "logistic_hessian",
    "momentum",
    "project_box",
    "project_simplex",
    "rmsprop",
    "soft_threshold",
    "softmax",
    "softmax_hessian",
]
