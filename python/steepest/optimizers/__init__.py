"""Update rules, their learning rates, and the runners that take their steps.

This folder may use `constraints`, `analysis`, `objectives` and `arrays`.
"""

from __future__ import annotations

from . import rules as _rules
from .base import Optimizer
from .curvature_rule import CurvatureRule
from .rules import *

__all__ = ["CurvatureRule", "Optimizer"]
__all__ += _rules.__all__
