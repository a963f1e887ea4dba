"""What is minimised: losses bound to data, functions in Python, and what is known of the data.

This folder may use `arrays`.
"""

from __future__ import annotations

from . import losses as _losses
from .data import DataObjective
from .losses import *
from .protocol import Objective
from .scaling import column_statistics, unscaled

__all__ = ["DataObjective", "Objective", "column_statistics", "unscaled"]
__all__ += _losses.__all__
