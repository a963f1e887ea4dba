"""A plain NumPy version of every loss, update rule and constraint. The tests compare every kernel with it.

All functions compute in float64, whatever the dtype of their arguments, and change no argument. This folder may use
NumPy only. Only tests and users may use this folder.
"""

from . import losses as _losses
from . import projections as _projections
from . import rules as _rules
from . import softmax as _softmax
from .arrays import Array
from .losses import *
from .projections import *
from .rules import *
from .softmax import *

__all__ = ["Array"]
__all__ += _losses.__all__
__all__ += _projections.__all__
__all__ += _rules.__all__
__all__ += _softmax.__all__
