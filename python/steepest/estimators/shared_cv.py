"""The parameters that the cross-validated estimators share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypedDict

__all__ = ["Shared", "with_shared"]


class Shared(TypedDict, total=False):
    """The shared parameters, with their types."""

    l1_ratio: Any
    alphas: Any
    n_alphas: int
    smallest: float | None
    cv: Any
    rule: str
    penalty_weight: Any
    positive: bool
    fit_intercept: bool
    standardize: bool
    max_iter: int
    tol: float | str
    categorical: Any
    drop: str | None
    handle_missing: str
    handle_unknown: str
    n_jobs: int | None


_CHOICE: Shared = {"l1_ratio": 1.0, "alphas": None, "n_alphas": 100, "smallest": None, "cv": None, "rule": "best"}
_FIT: Shared = {
    "penalty_weight": None,
    "positive": False,
    "fit_intercept": True,
    "standardize": False,
    "max_iter": 1000,
    "tol": "auto",
    "categorical": "auto",
    "drop": "auto",
    "handle_missing": "error",
    "handle_unknown": "error",
    "n_jobs": None,
}


def with_shared(init: Callable[..., None]) -> Callable[..., None]:
    """Give an ``__init__(self, *, own, **shared)`` the shared parameters, before and after its own, with defaults.

    Its signature then names all parameters, and it is called with all of them.
    """
    found = inspect.signature(init)
    self, *own = [each for each in found.parameters.values() if each.kind != inspect.Parameter.VAR_KEYWORD]
    parameters = [self, *_named(_CHOICE), *own, *_named(_FIT)]

    @functools.wraps(init)
    def made(instance: Any, **given: Any) -> None:
        init(instance, **{**_CHOICE, **_FIT, **given})

    made.__signature__ = found.replace(parameters=parameters)  # type: ignore[attr-defined]
    return made


def _named(defaults: Shared) -> list[inspect.Parameter]:
    types, kind = Shared.__annotations__, inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(name, kind, default=value, annotation=types[name].__forward_arg__)
        for name, value in defaults.items()
    ]
