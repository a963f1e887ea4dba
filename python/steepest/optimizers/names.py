"""The optimizers by the names that the estimators and the command line offer, and their rates where none is given."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from . import rules
from .base import Optimizer
from .schedules import InverseTimeDecay

__all__ = ["DEFAULT_RATES", "ONLINE_RATES", "OPTIMIZERS"]

_RULES: list[type[Optimizer]] = [getattr(rules, name) for name in rules.__all__]
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    name: functools.partial(rule, **keywords) for rule in _RULES for name, keywords in rule.offered_as.items()
}
DEFAULT_RATES = {name: rule.default_rate for rule in _RULES for name in rule.offered_as if rule.default_rate}
# Of steps whose number is not known beforehand.
ONLINE_RATES: dict[str, Any] = {
    name: rule.default_rate if rule.steps_shrink else InverseTimeDecay(rule.default_rate)
    for rule in _RULES
    for name in rule.offered_as
    if rule.default_rate
}
