"""The optimizers that take steps by their names in text, for the estimators and the command line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .optimizers import AdaGrad, Adam, GradientDescent, Momentum, RMSProp

__all__ = ["DEFAULT_RATES", "OPTIMIZERS"]

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "adam": Adam,
    "rmsprop": RMSProp,
    "adagrad": AdaGrad,
    "momentum": Momentum,
    "nesterov": functools.partial(Momentum, nesterov=True),
    "gradient-descent": GradientDescent,
}
# Without a number from the user: from this rate to 0 by a cosine over the whole run, on standardised columns.
DEFAULT_RATES = {"adam": 0.05, "rmsprop": 0.05, "adagrad": 0.5}
