"""The categories of this package's warnings, and the line of a user's program that a warning is attributed to."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["CheckpointWarning", "DiagnosisWarning", "DivergenceWarning", "RankWarning", "levels_outside"]


class CheckpointWarning(RuntimeWarning):
    """A checkpoint is not what it should be, and the run goes on all the same.

    The newest checkpoint is damaged or missing, and the one before is used. Or it could not be written, and the run
    tries again later. Or another version of steepest or another kind of processor wrote it, so bits may differ.

    Examples
    --------
    To stop instead, make the warning an error.

    >>> import warnings
    >>> import steepest as st
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", st.CheckpointWarning)
    ...     # st.minimize(..., checkpoint="run.steepest")
    """


class DiagnosisWarning(RuntimeWarning):
    """A run has a problem. The message is the text of `Result.diagnosis`.

    Examples
    --------
    To stop at the first problem of a run, make the warning an error.

    >>> import warnings
    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.ones((1, 1)), np.ones(1), intercept=False)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", st.DiagnosisWarning)
    ...     st.minimize(objective, optimizer=st.GradientDescent(3.0))
    Traceback (most recent call last):
    steepest.warnings.D...Warning: ...
    """


class DivergenceWarning(DiagnosisWarning):
    """A run stopped because its loss was no longer finite.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.ones((1, 1)), np.ones(1), intercept=False)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always", st.DivergenceWarning)
    ...     result = st.minimize(objective, optimizer=st.GradientDescent(1e9))
    >>> result.stop_reason
    'diverged'
    >>> caught[-1].category is st.DivergenceWarning
    True
    """


class RankWarning(RuntimeWarning):
    """The columns depend on one another, so the minimum is not unique.

    Examples
    --------
    Both columns are the same. The minimum of least norm gives each half of the slope 2.

    >>> import warnings
    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.array([[1.0, 1.0], [2.0, 2.0]])
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always", st.RankWarning)
    ...     found = st.normal_equation(st.LeastSquares(X, np.array([2.0, 4.0]), intercept=False))
    >>> print(caught[0].category.__name__, found.rank, found.w.round(6))
    RankWarning 1 [1. 1.]
    """


def levels_outside() -> int:
    """Return the stacklevel with which `warnings.warn` names the first frame outside this package."""
    package, level = str(Path(__file__).parent), 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level
