"""Plots of runs and objectives, with matplotlib (the extra `plot`), which is imported on first use.

This folder may use `objectives` and `arrays`, for their checks. It reads the results of other folders by their
attributes.
"""

from .coefficient_path import path
from .contours import contour
from .loss import loss_curve
from .models import taylor
from .rates import learning_rates
from .surfaces import surface

__all__ = ["contour", "learning_rates", "loss_curve", "path", "surface", "taylor"]
