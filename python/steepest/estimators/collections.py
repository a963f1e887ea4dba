"""Collections of other libraries, such as Dask's. For each kind, a module of this package does what methods do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["taking_collections"]

# By the package of a collection: the module whose `called` takes the place of a method, if X is such a collection.
_TAKERS = {"dask": "steepest.dask"}
_METHODS = ("fit", "predict", "decision_function", "predict_proba", "predict_log_proba")


def taking_collections(model: type) -> None:
    """Let the methods that a class defines take collections as X."""
    for name in _METHODS:
        if name in vars(model):
            setattr(model, name, _taking(vars(model)[name]))


def _taking(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def taking(self: Any, X: Any, *rest: Any, **options: Any) -> Any:
        taker = _TAKERS.get(type(X).__module__.partition(".")[0])
        if taker is None:
            return method(self, X, *rest, **options)
        return import_module(taker).called(method, self, X, *rest, **options)

    return taking
