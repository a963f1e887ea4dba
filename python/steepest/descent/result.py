"""`Result`: what a run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .diagnosis import Diagnosis
from .picture import curve_svg, rows_html

_NOT = "not converged"


class StartError(ValueError):
    """The objective is not finite at the start of a run."""


@dataclass(eq=False)
class Result:
    """The outcome of `minimize`.

    Attributes
    ----------
    w : array of shape (n_parameters,), float32 or float64
        The parameters found, from the library of w0 or, without w0, of the objective's X. They are normally the last
        ones. With validation data they have the lowest validation loss. After divergence they are the last ones whose
        loss was evaluated and finite. For a `Softmax` they are a matrix of its `parameters_shape`.
    value : float
        The objective at w, penalty included. nan if Ctrl-C left no time to evaluate it.
    converged : bool
        Whether a rule of ``stop`` ended the run. Without rules, whether the run went as low as the arithmetic allows.
    stop_reason : str
        The class name of the rule that ended the run, or one of the reasons listed below.
    n_epochs, n_steps : int
        Numbers of completed epochs and steps.
    history : dict of str to array
        Arrays with one element for the start and one for each evaluated epoch: "epoch", "loss" (the whole objective),
        "gradient_norm", "learning_rate" (of the last step; at the start, of the first), "seconds" since the start and,
        with validation data, "validation_loss". See `Progress`.
    path : array of shape (n_steps + 1, n_parameters) or None
        The parameters at the start and after every step, if `minimize` was asked for them.
    best_epoch : int or None
        The epoch with the lowest validation loss. None without validation data.
    diagnosis : Diagnosis
        What went wrong in the run, as a sentence. A run that did not converge has a sentence in any case, unless
        ``diagnose=False``. It is empty for a healthy run that converged.
    starts : tuple of Result or None
        The runs from all starts, if there were several. This result is the best of them.
    duality_gap : float or None
        How far the objective at w is above its minimum, at most, but for rounding. `QuasiNewton` knows it with an L1
        penalty over wide data. None elsewhere.

    Notes
    -----
    The other values of stop_reason:

    =============  ====================================================================================================
    "max_epochs"   The run used all its epochs.
    "max_seconds"  The run used all its time.
    "diverged"     The loss or the gradient was no longer finite.
    "callback"     The callback returned True.
    "interrupted"  The user pressed Ctrl-C.
    "precision"    Only QuasiNewton: the arithmetic allows no lower value.
    "rounding"     Only QuasiNewton: the gradient is still large, but rounding hides the way down.
    "separable"    There is no minimum to converge to: classes without a penalty are separable, all or some, or a class
                   that has an intercept has no row, or counts of 0 let the loss of `Poisson` fall for ever.
    =============  ====================================================================================================

    Without a minimum, "separable" replaces the rule's name, "precision" and "rounding". A run that ends by "max_epochs"
    or "max_seconds" keeps that reason. Its diagnosis then says that there is none, if at least 20 epochs were
    evaluated.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> bowl = st.Function(lambda w: (w @ w, 2 * w), n_parameters=2)
    >>> result = st.minimize(bowl, np.array([2.0, 0.0]), st.GradientDescent(0.25), max_epochs=2)
    >>> result.w, result.value, result.stop_reason
    (array([0.5, 0. ]), 0.25, 'max_epochs')
    >>> result.history["loss"]
    array([4.  , 1.  , 0.25])

    Printing it says whether the run converged, and why not:

    >>> print(result)
    Result(value=0.25, gradient_norm=1, stop_reason='max_epochs', converged=False, n_epochs=2, n_steps=2, w=[0.5 0. ])
    not converged: the run used all its epochs (2); no tolerance judged it: the gradient norm is 1; \
stop=st.stop.GradientNorm(...) sets one
    """

    w: NDArray[Any]
    value: float
    converged: bool
    stop_reason: str
    n_epochs: int
    n_steps: int
    history: dict[str, NDArray[Any]]
    path: NDArray[Any] | None = None
    best_epoch: int | None = None
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    starts: tuple[Result, ...] | None = None
    duality_gap: float | None = None

    def __repr__(self) -> str:
        w = np.array2string(self.w, threshold=8, precision=4) if isinstance(self.w, np.ndarray) else self.w
        norm = next(reversed(self.history["gradient_norm"]), float("nan"))
        return (
            f"Result(value={self.value:.6g}, gradient_norm={norm:.3g}, stop_reason={self.stop_reason!r}, "
            f"converged={self.converged}, n_epochs={self.n_epochs}, n_steps={self.n_steps}, "
            f"w={w})"
        )

    def __str__(self) -> str:
        return f"{self!r}\n{self._verdict()}"

    def plot(self, **options: Any) -> Any:
        """Draw the loss curve, by ``st.plot.loss_curve(result, **options)``, and return the axes.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> objective = st.LeastSquares(np.eye(2), np.array([3.0, -1.0]))
        >>> result = st.minimize(objective, optimizer=st.GradientDescent(0.1), max_epochs=5)
        >>> result.plot(x="seconds").get_xlabel()
        'time (s)'
        """
        # The folder of pictures may use this one, so this one cannot import it at the top.
        return import_module("steepest.plot").loss_curve(self, **options)

    def _repr_html_(self) -> str:
        """Return the outcome, the loss curve and the first parameters as HTML, for notebooks."""
        norm = next(reversed(self.history["gradient_norm"]), float("nan"))
        facts = {
            "value": f"{self.value:.6g}",
            "gradient norm": f"{norm:.3g}",
            "epochs, steps": f"{self.n_epochs:,}, {self.n_steps:,}",
        }
        if self.best_epoch is not None:
            facts["best epoch"] = str(self.best_epoch)
        facts["parameters"] = _shown(self.w)
        return f"<div><p>{escape(self._verdict())}</p>{rows_html(facts)}{curve_svg(self.history)}</div>"

    def _verdict(self) -> str:
        """Say whether the run converged, and what is wrong with it."""
        found = str(self.diagnosis)
        if self.converged:
            epochs = f"{self.n_epochs} epoch" + "s" * (self.n_epochs != 1)
            return f"converged in {epochs}, by {self.stop_reason}" + (f"; but {found}" if found else "")
        if found.startswith(_NOT):
            return found
        return f"{_NOT}: {found or f'the run ended by {self.stop_reason}'}"


def _shown(w: Any) -> str:
    """Return the first and last parameters, and how many there are."""
    shape = "x".join(map(str, getattr(w, "shape", ())))
    text = np.array2string(w, threshold=20, precision=4) if isinstance(w, np.ndarray) else type(w).__name__
    return f"{text} ({shape})"
