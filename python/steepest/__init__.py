"""steepest: the fastest gradient descent for least-squares and logistic models."""

from __future__ import annotations

import os as _os
import sys as _sys
from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import objectives as objectives
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
    from .estimators import LinearRegressor as LinearRegressor
    from .estimators import LogisticClassifier as LogisticClassifier
    from .objectives.function import Function
    from .objectives.losses import LeastSquares, Logistic
    from .objectives.protocol import Objective
    from .objectives.softmax import Softmax
    from .optimizers.rules import AdaGrad, Adam, GradientDescent, Momentum, RMSProp
    from .quasi_newton.optimizer import QuasiNewton
    from .runtime import info, threads
    from .search.grid import GridSearch, grid_search
    from .search.range_test import LearningRateCurve, find_learning_rate
    from .warnings import DiagnosisWarning, DivergenceWarning, RankWarning

# Where each public name is. A module is imported when one of its names is first used, so `import steepest` is fast.
# The imports above tell type checkers the same. tests/test_front_door.py compares the two.
_PLACES = {
    "analysis.curvature": ("Curvature", "curvature"),
    "analysis.taylor": ("Taylor", "taylor"),
    "arrays.device": ("DeviceArray",),
    "closed_form.normal_equation": ("ClosedForm", "normal_equation"),
    "constraints.sets": ("Box", "Simplex"),
    "descent.diagnosis": ("Diagnosis",),
    "descent.minimize": ("minimize",),
    "descent.result": ("Result",),
    "descent.stopping": ("Progress",),
    "estimators": ("LinearRegressor", "LogisticClassifier"),
    "objectives.function": ("Function",),
    "objectives.losses": ("LeastSquares", "Logistic"),
    "objectives.protocol": ("Objective",),
    "objectives.softmax": ("Softmax",),
    "optimizers.rules": ("AdaGrad", "Adam", "GradientDescent", "Momentum", "RMSProp"),
    "quasi_newton.optimizer": ("QuasiNewton",),
    "runtime": ("info", "threads"),
    "search.grid": ("GridSearch", "grid_search"),
    "search.range_test": ("LearningRateCurve", "find_learning_rate"),
    "warnings": ("DiagnosisWarning", "DivergenceWarning", "RankWarning"),
}
_MODULES = {"plot": "plot", "reference": "reference", "schedules": "schedules", "stop": "descent.stopping"}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}
_OPTIONAL = _PLACES["estimators"]  # not in __all__, since they import scikit-learn

# Folders that are reached as attributes, though `dir` does not list them.
_INNER = ("_core", "analysis", "arrays", "closed_form", "constraints", "descent", "estimators", "extras", "objectives",
          "optimizers", "quasi_newton", "runtime", "search", "warnings")  # fmt: skip

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


class _Former(_ModuleType):
    """A module by the path that it had in version 0.1, which pickles of that version name."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"{__name__}.{old}")
        self._new = f"{__name__}.{new}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(_import_module(self._new), name)


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
    _sys.modules[f"{__name__}.{_old}"] = _Former(_old, _new)

if "STEEPEST_ISA" in _os.environ:
    _import_module("._core", __name__)  # which checks it
if _os.environ.get("STEEPEST_NUM_THREADS"):
    _import_module(".runtime", __name__).threads_from_environment()


def _found(name: str) -> Any:
    if name in _PLACE_OF:
        return getattr(_import_module(f".{_PLACE_OF[name]}", __name__), name)
    if name in _MODULES or name in _INNER:
        return _import_module(f".{_MODULES.get(name, name)}", __name__)
    if name == "__version__":
        return _import_module(".runtime", __name__).installed_version()
    if name in _FORMER:
        return _sys.modules[f"{__name__}.{name}"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> Any:
        globals()[name] = found = _found(name)
        return found


def __dir__() -> list[str]:
    return sorted([*__all__, *_OPTIONAL])
