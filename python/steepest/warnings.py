"""Categories of this package's warnings, and the line of a user's program that one is attributed to."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["DiagnosisWarning", "DivergenceWarning", "RankWarning", "levels_outside"]


class DiagnosisWarning(RuntimeWarning):
    """Something ails a run: the text of its `Result.diagnosis`."""


class DivergenceWarning(DiagnosisWarning):
    """A run stopped because its loss was no longer finite."""


class RankWarning(RuntimeWarning):
    """The columns depend on one another: many parameters have the lowest value."""


def levels_outside() -> int:
    """Count the frames from the caller up to the first one outside this package, as `warnings.warn` counts them."""
    package, level = str(Path(__file__).parent), 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level
