"""steepest: the fastest gradient descent for least-squares and logistic models."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from . import plot, reference, schedules
from . import stopping as stop
from .closed_form import ClosedForm, normal_equation
from .constraints import Box, Simplex
from .curvature import Curvature, curvature
from .descent import minimize
from .device import DeviceArray
from .diagnosis import Diagnosis
from .function import Function
from .grid import GridSearch, grid_search
from .objectives import LeastSquares, Logistic
from .optimizers import AdaGrad, Adam, GradientDescent, Momentum, RMSProp
from .quasi_newton import QuasiNewton
from .result import DiagnosisWarning, DivergenceWarning, RankWarning, Result
from .runtime import info, installed_version, threads, threads_from_environment
from .softmax import Softmax
from .stopping import Progress
from .taylor import Taylor, taylor
from .tuning import LearningRateCurve, find_learning_rate

if TYPE_CHECKING:
    from .estimators import LinearRegressor as LinearRegressor
    from .estimators import LogisticClassifier as LogisticClassifier

threads_from_environment()
__version__ = installed_version()

__all__ = [
    "AdaGrad",
    "Adam",
    "Box",
    "ClosedForm",
    "Curvature",
    "DeviceArray",
    "Diagnosis",
    "DiagnosisWarning",
    "DivergenceWarning",
    "Function",
    "GradientDescent",
    "GridSearch",
    "LearningRateCurve",
    "LeastSquares",
    "Logistic",
    "Momentum",
    "Progress",
    "QuasiNewton",
    "RMSProp",
    "RankWarning",
    "Result",
    "Simplex",
    "Softmax",
    "Taylor",
    "curvature",
    "find_learning_rate",
    "grid_search",
    "info",
    "minimize",
    "normal_equation",
    "plot",
    "reference",
    "schedules",
    "stop",
    "taylor",
    "threads",
]

_ESTIMATORS = ("LinearRegressor", "LogisticClassifier")  # not in __all__: they import scikit-learn, which is optional


def __getattr__(name: str) -> Any:
    if name in _ESTIMATORS:
        return getattr(_import_module(".estimators", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ESTIMATORS])
