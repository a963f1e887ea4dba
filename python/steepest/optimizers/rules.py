"""The optimizers: each names an update rule and checks its hyperparameters. The native modules compute the formulas."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_flag, check_number
from ..arrays.hints import OF_RULES, hinting
from .base import Offers, Optimizer
from .curvature_rule import CurvatureRule
from .schedules import ScheduleLike

__all__ = ["AdaGrad", "Adam", "GradientDescent", "LazyAdam", "Momentum", "RMSProp"]


class GradientDescent(CurvatureRule):
    """Plain gradient descent: w -= eta g, with the learning rate eta and the gradient g.

    Parameters
    ----------
    learning_rate : float or schedule or "auto"
        A number above 0, or a callable of the number of steps taken so far. With "auto", `minimize` computes the rate
        from the objective's curvature.

    Raises
    ------
    TypeError, ValueError
        The learning rate has the wrong type or is out of range.

    Notes
    -----
    Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes rendus 25, 1847.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]), np.array([3.0, 6.0, 7.0, 10.0])
    >>> result = st.minimize(st.LeastSquares(X, y), optimizer=st.GradientDescent("auto"), max_epochs=1000)
    >>> result.w.round(3)
    array([2., 1., 1.])
    """

    offered_as: ClassVar[Offers] = {"gradient-descent": {}}

    @hinting(**OF_RULES)
    def __init__(self, learning_rate: float | str | ScheduleLike) -> None:
        super().__init__("gradient_descent", learning_rate)

    def contraction(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return abs(1 - x), with x = eta times the eigenvalue."""
        return np.abs(1.0 - x)

    def best_rate(self, eigenvalue_min: float, eigenvalue_max: float) -> float:
        """Return the rate that shrinks the slowest direction of a quadratic fastest, with a margin to divergence.

        It is 2 / (eigenvalue_min + eigenvalue_max), but at most 1.9 / eigenvalue_max (Polyak, "Introduction to
        Optimization", 1987).

        Parameters
        ----------
        eigenvalue_min, eigenvalue_max : float
            The smallest and the largest eigenvalue of the Hessian. The largest is above 0.

        Examples
        --------
        >>> import steepest as st
        >>> st.GradientDescent("auto").best_rate(1.0, 3.0)
        0.5
        """
        return min(2.0 / (eigenvalue_min + eigenvalue_max), 1.9 / eigenvalue_max)

    def largest_stable_rate(self, eigenvalue_max: float) -> float:
        """Return 2 / eigenvalue_max, the rate at which gradient descent starts to diverge on a quadratic.

        Parameters
        ----------
        eigenvalue_max : float
            The largest eigenvalue of the Hessian, above 0.

        Examples
        --------
        >>> import steepest as st
        >>> st.GradientDescent("auto").largest_stable_rate(4.0)
        0.5
        """
        return 2.0 / eigenvalue_max


class Momentum(CurvatureRule):
    """Gradient descent with momentum mu.

    ::

        velocity="sum":      v = mu v + g;          w -= eta v
        velocity="average":  v = mu v + (1 - mu) g; w -= eta v
        velocity="step":     D = mu D - eta g;      w += D
        nesterov=True:       v = mu v + g;          w -= eta (g + mu v)

    "sum" is the rule of PyTorch with dampening 0. "step" is the heavy ball; it equals "sum" as long as eta is constant.

    Parameters
    ----------
    learning_rate : float or schedule or "auto"
        eta: a number above 0, or a callable of the number of steps taken so far. With "auto", `minimize` computes the
        rate from the objective's curvature; mu stays as it is.
    momentum : float
        mu, at least 0 and below 1.
    velocity : "sum", "average" or "step"
        How past gradients are combined.
    nesterov : bool
        Whether to use Nesterov's form, which needs velocity="sum".

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or is out of range, or nesterov=True comes with another velocity than "sum".

    Notes
    -----
    Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics and
    Mathematical Physics 4, 1964. Nesterov, "A method of solving a convex programming problem with convergence rate
    O(1/k^2)", Soviet Mathematics Doklady 27, 1983. The form with a velocity: Sutskever, Martens, Dahl, Hinton, "On the
    importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> w, optimizer = np.array([1.0, 2.0]), st.Momentum(learning_rate=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.step(w, np.array([1.0, -2.0]))
    >>> w
    array([-0.25,  4.5 ])
    """

    _states = ("velocity",)
    offered_as: ClassVar[Offers] = {"momentum": {}, "nesterov": {"nesterov": True}}

    @hinting(**OF_RULES, mu="momentum=...", beta="momentum=...")
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
        """How past gradients are combined: "sum", "average" or "step"."""
        return "sum" if self.nesterov else self.rule_name.removeprefix("momentum_")

    @property
    def nesterov(self) -> bool:
        """Whether steps have Nesterov's form, which looks ahead along the velocity."""
        return self.rule_name == "nesterov"

    def largest_stable_rate(self, eigenvalue_max: float) -> float:
        """Return the rate at which momentum starts to diverge on a quadratic.

        It is 2 (1 + mu) / eigenvalue_max, divided by 1 - mu for velocity="average" and by 1 + 2 mu for nesterov=True.

        Parameters
        ----------
        eigenvalue_max : float
            The largest eigenvalue of the Hessian, above 0.

        Examples
        --------
        >>> import steepest as st
        >>> st.Momentum("auto", momentum=0.5).largest_stable_rate(4.0)
        0.75
        """
        mu = self.momentum
        scale = 1.0 + 2.0 * mu if self.nesterov else 1.0 - mu if self.velocity == "average" else 1.0
        return 2.0 * (1.0 + mu) / (scale * eigenvalue_max)

    def contraction(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest absolute value of a root of the rule's characteristic polynomial.

        The polynomial is z^2 - (1 + mu - x) z + mu. For nesterov=True it is z^2 - (1 + mu) (1 - x) z + mu (1 - x). For
        velocity="average" x is first multiplied by 1 - mu.
        """
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
    """AdaGrad: each coordinate's rate falls with the sum of its squared gradients.

    ::

        G += g^2;  w -= eta g / (sqrt(G) + epsilon)

    epsilon is outside the root, as in PyTorch; optax has it inside. The step is 0 where sqrt(G) + epsilon is 0. Where G
    overflows to infinity, the coordinate becomes NaN, and `minimize` ends as diverged.

    Parameters
    ----------
    learning_rate : float or schedule
        eta: a number above 0, or a callable of the number of steps taken so far.
    epsilon : float
        At least 0, in the units of the gradient.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or is out of range.

    Notes
    -----
    Duchi, Hazan, Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", Journal of
    Machine Learning Research 12, 2011.

    Examples
    --------
    The first step moves every coordinate by the learning rate:

    >>> import numpy as np
    >>> import steepest as st
    >>> w = np.array([1.0, 2.0])
    >>> st.AdaGrad(learning_rate=0.5).step(w, np.array([3.0, -4.0]))
    >>> w.round(6)
    array([0.5, 2.5])
    """

    _states = ("square_sum",)
    scales_coordinates = True
    offered_as: ClassVar[Offers] = {"adagrad": {}}
    default_rate = 0.5
    steps_shrink = True

    @hinting(**OF_RULES, eps="epsilon=...")
    def __init__(self, learning_rate: float | ScheduleLike = 1e-2, epsilon: float = 1e-10) -> None:
        super().__init__("adagrad", learning_rate, epsilon=check_number("epsilon", epsilon, least=0.0))


class RMSProp(Optimizer):
    """RMSProp: each coordinate's rate falls with a running average of its squared gradients.

    ::

        G = rho G + (1 - rho) g^2;  w -= eta g / (sqrt(G) + epsilon)

    epsilon is outside the root, as in PyTorch; optax has it inside. The step is 0 where sqrt(G) + epsilon is 0. Where G
    overflows to infinity, the coordinate becomes NaN, and `minimize` ends as diverged.

    Parameters
    ----------
    learning_rate : float or schedule
        eta: a number above 0, or a callable of the number of steps taken so far.
    rho : float
        Weight of the past in the average, at least 0 and below 1.
    epsilon : float
        At least 0, in the units of the gradient.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or is out of range.

    Notes
    -----
    Tieleman, Hinton, "Lecture 6.5 - rmsprop: Divide the gradient by a running average of its recent magnitude",
    Coursera: Neural Networks for Machine Learning, 2012.

    Examples
    --------
    The first step moves every coordinate by the learning rate over sqrt(1 - rho):

    >>> import numpy as np
    >>> import steepest as st
    >>> w = np.array([2.0, 2.0])
    >>> st.RMSProp(learning_rate=0.5, rho=0.75).step(w, np.array([3.0, -4.0]))
    >>> w.round(6)
    array([1., 3.])
    """

    _states = ("square_average",)
    scales_coordinates = True
    offered_as: ClassVar[Offers] = {"rmsprop": {}}
    default_rate = 0.05

    @hinting(**OF_RULES, eps="epsilon=...", alpha="rho=...", beta="rho=...", decay_rate="rho=...")
    def __init__(self, learning_rate: float | ScheduleLike = 1e-3, rho: float = 0.9, epsilon: float = 1e-8) -> None:
        rho = check_number("rho", rho, least=0.0, below=1.0)
        super().__init__("rmsprop", learning_rate, rho=rho, epsilon=check_number("epsilon", epsilon, least=0.0))


class Adam(Optimizer):
    """Adam: momentum, with each coordinate's rate set by a running average of its squared gradients.

    ::

        m = beta1 m + (1 - beta1) g;    mh = m / (1 - beta1^t)
        v = beta2 v + (1 - beta2) g^2;  vh = v / (1 - beta2^t)
        w -= eta weight_decay w
        w -= eta mh / (sqrt(vh) + epsilon)

    t counts the steps from 1. With bias_correction=False, mh is m and vh is v. The step is 0 where sqrt(vh) + epsilon
    is 0. Where v or vh overflows to infinity, the coordinate becomes NaN, and `minimize` ends as diverged.

    Parameters
    ----------
    learning_rate : float or schedule
        eta: a number above 0, or a callable of the number of steps taken so far.
    beta1, beta2 : float
        Weights of the past in the two averages, at least 0 and below 1.
    epsilon : float
        At least 0, in the units of the gradient.
    bias_correction : bool
        Whether to correct the averages for their start at 0.
    weight_decay : float
        At least 0. A value above 0 gives AdamW. Weight decay acts on every parameter; for a penalty that leaves out the
        intercept, use the objective's alpha.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or is out of range.

    Notes
    -----
    On a sparse X, a mini-batch step of Adam costs all parameters: those of columns without an entry in the batch move
    too, by their averages, and what many such steps do has no closed form. `LazyAdam` leaves these parameters out.

    Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015. Loshchilov, Hutter, "Decoupled Weight Decay
    Regularization", ICLR 2019.

    Examples
    --------
    The first step moves every coordinate by the learning rate:

    >>> import numpy as np
    >>> import steepest as st
    >>> w = np.array([1.0, 2.0])
    >>> st.Adam(learning_rate=0.5).step(w, np.array([3.0, -4.0]))
    >>> w.round(6)
    array([0.5, 2.5])
    """

    _rule: ClassVar[str] = "adam"
    _states = ("average", "square_average")
    scales_coordinates = True
    offered_as: ClassVar[Offers] = {"adam": {}}
    default_rate = 0.05

    @hinting(**OF_RULES, eps="epsilon=...", betas="beta1=... and beta2=...")
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
            self._rule,
            learning_rate,
            beta1=check_number("beta1", beta1, least=0.0, below=1.0),
            beta2=check_number("beta2", beta2, least=0.0, below=1.0),
            epsilon=check_number("epsilon", epsilon, least=0.0),
            bias_correction=check_flag("bias_correction", bias_correction),
            weight_decay=check_number("weight_decay", weight_decay, least=0.0),
        )


class LazyAdam(Adam):
    """Adam for a sparse X: a step changes the columns that have an entry in its batch, and skips the others.

    A skipped parameter keeps its value and its two averages, so a step costs the entries of the batch. That makes
    LazyAdam another method than Adam, whose averages shrink and whose parameters move in every step. t still counts
    all steps, and the intercept takes part in all of them.

    On a dense X, with all rows in each step, in `step`, and on columns standardised by their means, no parameter is
    skipped: LazyAdam then is Adam. A zero in a dense X is a number like any other. In a sparse X an entry counts if it
    is stored, whatever its value.

    Parameters
    ----------
    learning_rate : float or schedule
        eta: a number above 0, or a callable of the number of steps taken so far.
    beta1, beta2 : float
        Weights of the past in the two averages, at least 0 and below 1.
    epsilon : float
        At least 0, in the units of the gradient.
    bias_correction : bool
        Whether to correct the averages for their start at 0.
    weight_decay : float
        At least 0. It acts on the parameters that a step changes.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or is out of range.

    Notes
    -----
    The penalties of the objective act on a column in the steps that change it, so mini-batches penalise a rare column
    less than the objective says. The run then does not converge to the objective's minimum. For that, use AdaGrad or
    GradientDescent, or `QuasiNewton` on all rows.

    LazyAdam of TensorFlow Addons and SparseAdam of PyTorch skip parameters in the same way.

    Examples
    --------
    The second column has no entry in the first batch, which therefore leaves its parameter alone:

    >>> import numpy as np
    >>> import scipy.sparse
    >>> import steepest as st
    >>> X, y = scipy.sparse.csr_array(np.eye(2)), np.array([1.0, 1.0])
    >>> objective = st.LeastSquares(X, y, intercept=False)
    >>> run = st.minimize(
    ...     objective, optimizer=st.LazyAdam(0.1), batch_size=1, shuffle=False, max_epochs=1, record_path=True
    ... )
    >>> run.path.round(3)
    array([[0.   , 0.   ],
           [0.1  , 0.   ],
           [0.1  , 0.074]])
    """

    _rule = "lazy_adam"
    offered_as: ClassVar[Offers] = {"lazy-adam": {}}
