"""steepest: the fastest gradient descent for least-squares and logistic models."""

from __future__ import annotations

import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from . import plot, reference, schedules
from .analysis.curvature import Curvature, curvature
from .analysis.taylor import Taylor, taylor
from .arrays.device import DeviceArray
from .closed_form.normal_equation import ClosedForm, normal_equation
from .constraints.sets import Box, Simplex
from .descent import stopping as stop
from .descent.diagnosis import Diagnosis
from .descent.minimize import minimize
from .descent.result import Result
from .descent.stopping import Progress
from .objectives.function import Function
from .objectives.losses import LeastSquares, Logistic
from .objectives.protocol import Objective
from .objectives.softmax import Softmax
from .optimizers.rules import AdaGrad, Adam, GradientDescent, Momentum, RMSProp
from .quasi_newton.optimizer import QuasiNewton
from .runtime import info, installed_version, threads, threads_from_environment
from .search.grid import GridSearch, grid_search
from .search.range_test import LearningRateCurve, find_learning_rate
from .warnings import DiagnosisWarning, DivergenceWarning, RankWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .estimators import LinearRegressor as LinearRegressor
    from .estimators import LogisticClassifier as LogisticClassifier

    # The command line stands on this module, which therefore does not import it, not even for types.
    load_model: Callable[[str | Path], Any]
    save_model: Callable[[Any, str | Path], None]

# Pickles of version 0.1 name these modules by the paths that they had then.
_FORMER = {
    "columns": "objectives.columns",
    "curvature": "analysis.curvature",
    "diagnosis": "descent.diagnosis",
    "grid": "search.grid",
    "result": "descent.result",
    "softmax": "objectives.softmax",
    "stopping": "descent.stopping",
    "taylor": "analysis.taylor",
    "tuning": "search.range_test",
}
for _old, _new in _FORMER.items():
    _module = _sys.modules[f"{__name__}.{_old}"] = _sys.modules[f"{__name__}.{_new}"]
    globals().setdefault(_old, _module)

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
    "Objective",
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

# Not in __all__, since their modules import scikit-learn, which is optional.
_LAZY = {
    "LinearRegressor": ".estimators",
    "LogisticClassifier": ".estimators",
    "load_model": ".cli.model_file",
    "save_model": ".cli.model_file",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(_import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
