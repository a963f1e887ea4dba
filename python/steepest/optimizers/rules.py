"""Optimizers: an update rule and its hyperparameters. The formulas are in the native modules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_flag, check_number
from .base import Optimizer
from .schedules import ScheduleLike

__all__ = [
    "DEFAULT_RATES",
    "OPTIMIZERS",
    "AdaGrad",
    "Adam",
    "CurvatureRule",
    "GradientDescent",
    "Momentum",
    "Optimizer",
    "RMSProp",
]


class CurvatureRule(Optimizer):
    """An optimizer that is linear in the gradients, so that curvature tells its learning rates."""

    _takes_auto = True

    def contraction(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor by which steps shrink a quadratic's eigendirection, in the long run.

        Parameters
        ----------
        x : array
            Learning rate times eigenvalue.
        """
        raise NotImplementedError

    def best_rate(self, eigenvalue_min: float, eigenvalue_max: float) -> float:
        """Return the rate at which the slowest direction of a quadratic shrinks fastest, within 95% of the stable ones.

        Parameters
        ----------
        eigenvalue_min, eigenvalue_max : float
            The ends of the spectrum, the second above 0.
        """
        stable = self.largest_stable_rate(eigenvalue_max)
        assert stable is not None
        rates = stable * np.append(np.geomspace(0.01, 0.95, 2000), 0.95)
        slowest = np.maximum(self.contraction(rates * eigenvalue_min), self.contraction(rates * eigenvalue_max))
        return float(rates[np.argmin(slowest)])

    def cautious_rate(self, eigenvalue_max: float) -> float:
        """Return a rate for a curvature that changes on the way: 0.9 of the largest stable one, 0.5 with momentum."""
        stable = self.largest_stable_rate(eigenvalue_max)
        assert stable is not None
        return (0.5 if self._hyperparameters.get("momentum") else 0.9) * stable


class GradientDescent(CurvatureRule):
    """Plain gradient descent: w -= eta g.

    learning_rate="auto" leaves the rate to the curvature of what `minimize` is given.
    """

    def __init__(self, learning_rate: float | str | ScheduleLike) -> None:
        super().__init__("gradient_descent", learning_rate)

    def contraction(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return abs(1 - x)."""
        return np.abs(1.0 - x)

    def best_rate(self, eigenvalue_min: float, eigenvalue_max: float) -> float:
        """Return 2 / (eigenvalue_min + eigenvalue_max), but at most 1.9 / eigenvalue_max."""
        return min(2.0 / (eigenvalue_min + eigenvalue_max), 1.9 / eigenvalue_max)

    def largest_stable_rate(self, eigenvalue_max: float) -> float:
        """Return 2 / eigenvalue_max."""
        return 2.0 / eigenvalue_max


class Momentum(CurvatureRule):
    """Gradient descent with momentum mu, 0 at least and below 1 (Polyak 1964; Nesterov 1983).

    ::

        velocity="sum":      v = mu v + g;          w -= eta v
        velocity="average":  v = mu v + (1 - mu) g; w -= eta v
        velocity="step":     D = mu D - eta g;      w += D
        nesterov=True:       v = mu v + g;          w -= eta (g + mu v)

    "sum" is PyTorch's, with dampening 0. "step" is the heavy ball, the same as "sum" while eta is constant. nesterov
    goes with "sum".

    learning_rate="auto" leaves the rate to the curvature of what `minimize` is given; mu stays as it is.
    """

    _states = ("velocity",)

    def __init__(
        self,
        learning_rate: float | str | ScheduleLike,
        momentum: float = 0.9,
        velocity: str = "sum",
        nesterov: bool = False,
    ) -> None:
        if velocity not in ("sum", "average", "step"):
            raise ValueError(f'velocity must be "sum", "average" or "step", got {velocity!r}')
        if nesterov and velocity != "sum":
            raise ValueError(f'nesterov=True needs velocity="sum", got {velocity!r}')
        momentum = check_number("momentum", momentum, least=0.0, below=1.0)
        rule = "nesterov" if check_flag("nesterov", nesterov) else f"momentum_{velocity}"
        super().__init__(rule, learning_rate, momentum=momentum)

    @property
    def momentum(self) -> float:
        """The factor mu."""
        return self._hyperparameters["momentum"]

    @property
    def velocity(self) -> str:
        """What the velocity is: "sum", "average" or "step"."""
        return "sum" if self.nesterov else self.rule_name.removeprefix("momentum_")

    @property
    def nesterov(self) -> bool:
        """Whether the gradient is looked at ahead."""
        return self.rule_name == "nesterov"

    def largest_stable_rate(self, eigenvalue_max: float) -> float:
        """Return 2 (1 + mu) / eigenvalue_max, over 1 - mu for "average" and over 1 + 2 mu for nesterov."""
        mu = self.momentum
        scale = 1.0 + 2.0 * mu if self.nesterov else 1.0 - mu if self.velocity == "average" else 1.0
        return 2.0 * (1.0 + mu) / (scale * eigenvalue_max)

    def contraction(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the larger root's size of z^2 - (1 + mu - x) z + mu, or of nesterov's with 1 - x before both mu."""
        mu = self.momentum
        x = x * (1.0 - mu) if self.velocity == "average" else x
        half, product = (1.0 + mu - x) / 2, np.full_like(x, mu)
        if self.nesterov:
            half, product = (1.0 + mu) * (1.0 - x) / 2, mu * (1.0 - x)
        root = np.sqrt((half**2 - product).astype(np.complex128))
        return np.asarray(np.maximum(np.abs(half + root), np.abs(half - root)))

    def _arguments(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "velocity": self.velocity, "nesterov": self.nesterov}


class AdaGrad(Optimizer):
    """G += g^2; w -= eta g / (sqrt(G) + epsilon) (Duchi, Hazan, Singer 2011).

    epsilon stands outside the root, as in PyTorch; optax has it inside. The step is 0 where sqrt(G) + epsilon is 0.
    Where G overflows to infinity, the coordinate becomes NaN, and `minimize` ends as diverged.
    """

    _states = ("square_sum",)
    scales_coordinates = True

    def __init__(self, learning_rate: float | ScheduleLike = 1e-2, epsilon: float = 1e-10) -> None:
        super().__init__("adagrad", learning_rate, epsilon=check_number("epsilon", epsilon, least=0.0))


class RMSProp(Optimizer):
    """G = rho G + (1 - rho) g^2; w -= eta g / (sqrt(G) + epsilon) (Hinton 2012).

    epsilon stands outside the root, as in PyTorch; optax has it inside. The step is 0 where sqrt(G) + epsilon is 0.
    Where G overflows to infinity, the coordinate becomes NaN, and `minimize` ends as diverged.
    """

    _states = ("square_average",)
    scales_coordinates = True

    def __init__(self, learning_rate: float | ScheduleLike = 1e-3, rho: float = 0.9, epsilon: float = 1e-8) -> None:
        rho = check_number("rho", rho, least=0.0, below=1.0)
        super().__init__("rmsprop", learning_rate, rho=rho, epsilon=check_number("epsilon", epsilon, least=0.0))


class Adam(Optimizer):
    """m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; w -= eta mh / (sqrt(vh) + epsilon) (Kingma, Ba 2015).

    mh = m / (1 - b1^t) and vh = v / (1 - b2^t) at step t; with bias_correction=False m and v themselves.
    weight_decay > 0 takes eta weight_decay w from w before the step (AdamW; Loshchilov, Hutter 2019). It acts on every
    parameter; for a penalty that spares the intercept, use the objective's alpha.
    The step is 0 where sqrt(vh) + epsilon is 0. Where v or vh overflows to infinity, the coordinate becomes NaN, and
    `minimize` ends as diverged.
    """

    _states = ("average", "square_average")
    scales_coordinates = True

    def __init__(
        self,
        learning_rate: float | ScheduleLike = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        bias_correction: bool = True,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            "adam",
            learning_rate,
            beta1=check_number("beta1", beta1, least=0.0, below=1.0),
            beta2=check_number("beta2", beta2, least=0.0, below=1.0),
            epsilon=check_number("epsilon", epsilon, least=0.0),
            bias_correction=check_flag("bias_correction", bias_correction),
            weight_decay=check_number("weight_decay", weight_decay, least=0.0),
        )


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "adam": Adam,
    "rmsprop": RMSProp,
    "adagrad": AdaGrad,
    "momentum": Momentum,
    "nesterov": functools.partial(Momentum, nesterov=True),
    "gradient-descent": GradientDescent,
}
# Without a number from the user: from this rate to 0 by a cosine over the whole run, on standardised columns.
DEFAULT_RATES = {"adam": 0.05, "rmsprop": 0.05, "adagrad": 0.5}
