"""A plain NumPy version of every loss, update rule and constraint. The tests compare every kernel with it.

All functions compute in float64, whatever the dtype of their arguments, and change no argument. This folder may use
NumPy only. Only tests and users may use this folder.
"""

from .arrays import Array
from .losses import huber, huber_hessian, least_squares, least_squares_hessian, logistic, logistic_hessian
from .projections import project_box, project_simplex
from .rules import State, adagrad, adam, gradient_descent, momentum, rmsprop, soft_threshold
from .softmax import softmax, softmax_hessian

__all__ = [
    "Array",
    "State",
    "adagrad",
    "adam",
    "gradient_descent",
    "huber",
    "huber_hessian",
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
