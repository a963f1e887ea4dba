"""steepest: the fastest gradient descent for least-squares and logistic models."""

from . import reference, schedules
from . import stopping as stop
from .closed_form import ClosedForm, normal_equation
from .descent import minimize
from .device import DeviceArray
from .function import Function
from .objectives import LeastSquares, Logistic
from .optimizers import AdaGrad, Adam, GradientDescent, Momentum, RMSProp
from .result import DivergenceWarning, RankWarning, Result
from .runtime import info, installed_version, threads, threads_from_environment
from .stopping import Progress

threads_from_environment()
__version__ = installed_version()

__all__ = [
    "AdaGrad",
    "Adam",
    "ClosedForm",
    "DeviceArray",
    "DivergenceWarning",
    "Function",
    "GradientDescent",
    "LeastSquares",
    "Logistic",
    "Momentum",
    "Progress",
    "RMSProp",
    "RankWarning",
    "Result",
    "info",
    "minimize",
    "normal_equation",
    "reference",
    "schedules",
    "stop",
    "threads",
]
