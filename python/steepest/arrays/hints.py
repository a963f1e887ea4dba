"""Hints for keyword arguments that have the names of other libraries."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["OF_ESTIMATORS", "OF_FITS", "OF_OBJECTIVES", "OF_RULES", "hinting"]

_STRENGTH = "alpha=1 / (C * n_samples), as the loss is a mean over the rows"
_EPOCHS = ("epochs", "n_epochs", "max_epochs", "num_epochs", "nb_epoch", "n_iter", "max_iters", "maxiter", "iterations")
_RATES = ("lr", "eta", "eta0", "rate", "step_size", "learn_rate")
_PENALTIES = ("lambda_", "lam", "reg", "reg_lambda", "l2", "weight_decay")
# What to write in place of an unknown argument: of a loss of data, of an update rule, of an estimator, of its `fit`.
OF_OBJECTIVES = (
    dict.fromkeys(_PENALTIES, "alpha=...")
    | dict.fromkeys(("weights", "weight", "sample_weights"), "sample_weight=...")
    | dict.fromkeys(("fit_intercept", "bias"), "intercept=...")
    | {
        "C": _STRENGTH,
        "penalty": "alpha=... and l1_ratio=...",
        "l1": "alpha=... and l1_ratio=1.0",
        "center": "centre=...",
        "standardize": "centre=... and scale=..., from steepest.objectives.column_statistics(X)",
    }
)
OF_RULES = dict.fromkeys(_RATES, "learning_rate=...") | {
    "decay": "a schedule, such as learning_rate=st.schedules.InverseTimeDecay(...)",
    "momentum": "st.Momentum(learning_rate, momentum=...)",
}
OF_ESTIMATORS = (
    dict.fromkeys(_EPOCHS, "max_iter=...")
    | dict.fromkeys(_RATES, "learning_rate=...")
    | dict.fromkeys(_PENALTIES, "alpha=...")
    | dict.fromkeys(("solver", "method", "algorithm"), "optimizer=...")
    | dict.fromkeys(("seed", "rng", "random_seed"), "random_state=...")
    | dict.fromkeys(("categorical_features", "cat_features"), "categorical=...")
    | dict.fromkeys(("normalize", "standardise", "scale"), "standardize=True")
    | {
        "C": _STRENGTH,
        "penalty": "alpha=... and l1_ratio=...",
        "intercept": "fit_intercept=...",
        "eps": "tol=...",
        "patience": "early_stopping=True and n_iter_no_change=...",
        "n_threads": "n_jobs=...",
    }
)
OF_FITS = dict.fromkeys((*_EPOCHS, "max_iter"), "max_iter=... of the estimator") | {
    "validation_data": "X_val=... and y_val=...",
    "eval_set": "X_val=... and y_val=...",
    "batch_size": "batch_size=... of the estimator",
    "weights": "sample_weight=...",
}

_Function = TypeVar("_Function", bound=Callable[..., Any])


def hinting(**hints: str) -> Callable[[_Function], _Function]:
    """Return a decorator that refuses an unknown keyword argument and says what to write instead.

    The function's signature does not change. `hints` map an unknown name to the text to write. For any other unknown
    name, the parameter with the most similar name is suggested, if one is similar.

    Examples
    --------
    >>> from steepest.arrays.hints import hinting
    >>> @hinting(epochs="max_epochs=...")
    ... def run(max_epochs=1):
    ...     return max_epochs
    >>> run(epochs=3)
    Traceback (most recent call last):
    TypeError: run() got an unexpected keyword argument 'epochs'; use max_epochs=...
    """

    def decorate(function: _Function) -> _Function:
        known = inspect.signature(function).parameters

        @functools.wraps(function)
        def checked(*arguments: Any, **options: Any) -> Any:
            for name in options:
                if name not in known:
                    import difflib  # slow to import, and seldom needed

                    near = difflib.get_close_matches(name, known, 1)
                    hint = hints.get(name) or (f"{near[0]}=..." if near else "")
                    message = f"{_called(function, arguments)}() got an unexpected keyword argument {name!r}"
                    raise TypeError(f"{message}; use {hint}" if hint else message)
            return function(*arguments, **options)

        return checked  # type: ignore[return-value]

    return decorate


def _called(function: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """Return the name by which the user called a function: that of the class for an `__init__`."""
    return type(arguments[0]).__name__ if function.__name__ == "__init__" and arguments else function.__name__
