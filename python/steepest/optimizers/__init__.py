"""Update rules, their learning rates, and the runners that take their steps.

This folder may use `constraints`, `analysis`, `objectives` and `arrays`.
"""

from __future__ import annotations

from .base import Optimizer
from .rules import AdaGrad, Adam, CurvatureRule, GradientDescent, Momentum, RMSProp

__all__ = ["AdaGrad", "Adam", "CurvatureRule", "GradientDescent", "Momentum", "Optimizer", "RMSProp"]
