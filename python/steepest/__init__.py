"""Fast linear, logistic and softmax models by gradient descent: C++ kernels under a small Python API."""

from __future__ import annotations

import os as _os
import sys as _sys
from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable as _Callable
    from pathlib import Path as _Path

    from . import objectives as objectives
    from . import plot as plot
    from . import reference as reference
    from . import schedules as schedules
    from .analysis.curvature import Curvature as Curvature
    from .analysis.curvature import curvature as curvature
    from .analysis.taylor import Taylor as Taylor
    from .analysis.taylor import taylor as taylor
    from .arrays.categorical import Categorical as Categorical
    from .arrays.device import DeviceArray as DeviceArray
    from .arrays.table import Table as Table
    from .closed_form.normal_equation import ClosedForm as ClosedForm
    from .closed_form.normal_equation import normal_equation as normal_equation
    from .constraints.sets import Box as Box
    from .constraints.sets import Simplex as Simplex
    from .descent import stopping as stop  # noqa: F401
    from .descent.diagnosis import Diagnosis as Diagnosis
    from .descent.minimize import minimize as minimize
    from .descent.result import Result as Result
    from .descent.stopping import Progress as Progress
    from .estimators import LinearRegressor as LinearRegressor
    from .estimators import LinearRegressorCV as LinearRegressorCV
    from .estimators import LogisticClassifier as LogisticClassifier
    from .estimators import LogisticClassifierCV as LogisticClassifierCV
    from .inference.result import Summary as Summary
    from .inference.summarise import summary as summary
    from .objectives.function import Function as Function
    from .objectives.losses import *
    from .objectives.protocol import Objective as Objective
    from .objectives.softmax import Softmax as Softmax
    from .optimizers.rules import *
    from .paths.result import Path as Path
    from .paths.walk import path as path
    from .quasi_newton.optimizer import QuasiNewton as QuasiNewton
    from .runtime import info as info
    from .runtime import threads as threads
    from .search.grid import GridSearch as GridSearch
    from .search.grid import grid_search as grid_search
    from .search.range_test import LearningRateCurve as LearningRateCurve
    from .search.range_test import find_learning_rate as find_learning_rate
    from .streams.opening import open_stream as open_stream
    from .streams.stream import Stream as Stream
    from .warnings import CheckpointWarning as CheckpointWarning
    from .warnings import DiagnosisWarning as DiagnosisWarning
    from .warnings import DivergenceWarning as DivergenceWarning
    from .warnings import RankWarning as RankWarning

# Where each public name is, but those of the losses and the update rules, which their modules list. A module is
# imported when one of its names is first used, so `import steepest` is fast.
# The imports above tell type checkers the same. tests/test_front_door.py compares the two.
_PLACES = {
    "analysis.curvature": ("Curvature", "curvature"),
    "analysis.taylor": ("Taylor", "taylor"),
    "arrays.categorical": ("Categorical",),
    "arrays.device": ("DeviceArray",),
    "arrays.table": ("Table",),
    "cli.model_file": ("load_model", "save_model"),
    "closed_form.normal_equation": ("ClosedForm", "normal_equation"),
    "constraints.sets": ("Box", "Simplex"),
    "descent.diagnosis": ("Diagnosis",),
    "descent.minimize": ("minimize",),
    "descent.result": ("Result",),
    "descent.stopping": ("Progress",),
    "estimators": ("LinearRegressor", "LinearRegressorCV", "LogisticClassifier", "LogisticClassifierCV"),
    "inference.result": ("Summary",),
    "inference.summarise": ("summary",),
    "objectives.function": ("Function",),
    "objectives.protocol": ("Objective",),
    "objectives.softmax": ("Softmax",),
    "paths.result": ("Path",),
    "paths.walk": ("path",),
    "quasi_newton.optimizer": ("QuasiNewton",),
    "runtime": ("info", "threads"),
    "search.grid": ("GridSearch", "grid_search"),
    "search.range_test": ("LearningRateCurve", "find_learning_rate"),
    "streams.opening": ("open_stream",),
    "streams.stream": ("Stream",),
    "warnings": ("CheckpointWarning", "DiagnosisWarning", "DivergenceWarning", "RankWarning"),
}
_REGISTERED = ("objectives.losses", "optimizers.rules")  # all names in their __all__ are public
_MODULES = {"plot": "plot", "reference": "reference", "schedules": "schedules", "stop": "descent.stopping"}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}
_OPTIONAL = (
    *_PLACES["estimators"],
    *_PLACES["cli.model_file"],
    *_PLACES["inference.summarise"],
)  # not in __all__, since they import scikit-learn

# Folders that are reached as attributes, though `dir` does not list them.
_INNER = ("_core", "analysis", "arrays", "checkpoint", "closed_form", "constraints", "dask", "descent", "distribution",
          "estimators", "extras", "inference", "mpi", "objectives", "optimizers", "parts", "paths", "quasi_newton",
          "ranks", "runtime", "search", "streams", "warnings")  # fmt: skip


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
    if name == "__all__":
        return _public_names()
    if name == "__version__":
        return _import_module(".runtime", __name__).installed_version()
    if name in _FORMER:
        return _sys.modules[f"{__name__}.{name}"]
    for place in () if name.startswith("__") else _REGISTERED:
        module = _import_module(f".{place}", __name__)
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _public_names() -> list[str]:
    registered = [name for place in _REGISTERED for name in _import_module(f".{place}", __name__).__all__]
    named = [name for names in _PLACES.values() for name in names if name not in _OPTIONAL]
    return sorted([*named, *_MODULES, *registered])


if TYPE_CHECKING:
    __version__: str
    # The command line stands on this module, which therefore does not import it, not even for types.
    load_model: _Callable[[str | _Path], Any]
    save_model: _Callable[[Any, str | _Path], None]
else:

    def __getattr__(name: str) -> Any:
        globals()[name] = found = _found(name)
        return found


def __dir__() -> list[str]:
    return sorted([*_public_names(), *_OPTIONAL])
