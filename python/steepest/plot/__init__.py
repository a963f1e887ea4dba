"""Pictures of runs and of the ground they walk on, drawn with matplotlib (the extra `plot`), imported on first use.

This folder may use `objectives` and `arrays`, for their checks; it reads what the others return by its attributes.
"""

from .contours import contour
from .loss import loss_curve
from .models import taylor
from .rates import learning_rates
from .surfaces import surface

__all__ = ["contour", "learning_rates", "loss_curve", "surface", "taylor"]
