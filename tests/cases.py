"""What the tests of the optimizers and of the loop share: one row a rule, and random problems with their formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import steepest as st
from steepest import _core, reference
from steepest.descent.arguments import seed_of


class Rule(NamedTuple):
    """An optimizer's class, its twin in the reference, and the keyword arguments both take.

    `change` is that of w in step t under the constant gradient g, in closed form, if it does not depend on w. `at_rest`
    is the state at a minimum with an L1 penalty, where g is constant; None where the rule does not stay there.
    `torch` is the class of torch.optim with its arguments, if PyTorch has the rule.
    """

    optimizer: Callable[..., Any]
    reference: Callable[..., Any]
    keywords: dict[str, Any]
    change: Callable[[Any, int], Any] | None = None
    torch: tuple[str, dict[str, Any]] | None = None
    at_rest: Callable[[Any], dict[str, Any]] | None = lambda g: {}

    def make(self, **more):
        return self.optimizer(**{**self.keywords, **more})

    def __str__(self):
        return "-".join([self.optimizer.__name__, *(f"{name}={value}" for name, value in self.keywords.items())])


RULES = [
    Rule(
        st.GradientDescent,
        reference.gradient_descent,
        {"learning_rate": 0.05},
        lambda g, t: -0.05 * g,
        ("SGD", {"lr": 0.05}),
    ),
    Rule(
        st.Momentum,
        reference.momentum,
        {"learning_rate": 0.02},
        lambda g, t: -0.02 * g * (1 - 0.9**t) / 0.1,
        ("SGD", {"lr": 0.02, "momentum": 0.9}),
        lambda g: {"velocity": g / 0.1},
    ),
    Rule(
        st.Momentum,
        reference.momentum,
        {"learning_rate": 0.05, "momentum": 0.7, "velocity": "average"},
        lambda g, t: -0.05 * g * (1 - 0.7**t),
        at_rest=lambda g: {"velocity": g},
    ),
    Rule(
        st.Momentum,
        reference.momentum,
        {"learning_rate": 0.02, "velocity": "step"},
        lambda g, t: -0.02 * g * (1 - 0.9**t) / 0.1,
        at_rest=lambda g: {"velocity": -0.02 * g / 0.1},
    ),
    Rule(
        st.Momentum,
        reference.momentum,
        {"learning_rate": 0.02, "momentum": 0.8, "nesterov": True},
        lambda g, t: -0.02 * g * (1 + 0.8 * (1 - 0.8**t) / 0.2),
        ("SGD", {"lr": 0.02, "momentum": 0.8, "nesterov": True}),
        lambda g: {"velocity": g / 0.2},
    ),
    Rule(
        st.AdaGrad,
        reference.adagrad,
        {},
        lambda g, t: -1e-2 * g / (np.sqrt(t) * abs(g) + 1e-10),
        ("Adagrad", {}),
    ),
    Rule(
        st.AdaGrad,
        reference.adagrad,
        {"learning_rate": 0.1, "epsilon": 0.01},
        lambda g, t: -0.1 * g / (np.sqrt(t) * abs(g) + 0.01),
    ),
    Rule(
        st.RMSProp,
        reference.rmsprop,
        {},
        lambda g, t: -1e-3 * g / (np.sqrt(1 - 0.9**t) * abs(g) + 1e-8),
        ("RMSprop", {"lr": 1e-3, "alpha": 0.9}),
    ),
    Rule(
        st.RMSProp,
        reference.rmsprop,
        {"learning_rate": 0.02, "rho": 0.95, "epsilon": 0.01},
        lambda g, t: -0.02 * g / (np.sqrt(1 - 0.95**t) * abs(g) + 0.01),
    ),
    Rule(st.Adam, reference.adam, {}, lambda g, t: -1e-3 * g / (abs(g) + 1e-8), ("Adam", {})),
    Rule(
        st.Adam,
        reference.adam,
        {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.99, "epsilon": 0.01},
        lambda g, t: -0.02 * g / (abs(g) + 0.01),
    ),
    Rule(
        st.Adam,
        reference.adam,
        {"learning_rate": 0.02, "bias_correction": False},
        lambda g, t: -0.02 * g * (1 - 0.9**t) / (np.sqrt(1 - 0.999**t) * abs(g) + 1e-8),
        at_rest=None,  # averages without a correction start away from it
    ),
    Rule(
        st.Adam,
        reference.adam,
        {"learning_rate": 0.02, "weight_decay": 0.1},
        torch=("AdamW", {"lr": 0.02, "weight_decay": 0.1}),
        at_rest=None,  # the decay moves it
    ),
    Rule(st.LazyAdam, reference.lazy_adam, {"learning_rate": 0.02}, lambda g, t: -0.02 * g / (abs(g) + 1e-8)),
]
each_rule = pytest.mark.parametrize("rule", RULES, ids=str)


class LossCase(NamedTuple):
    """A loss's class, its function in the reference, and the default parameters of both.

    `targets` takes numbers about 0, of which some are positive, to targets of the loss. `deviation` is that of columns
    over which the rates of RULES converge.
    """

    objective: Any
    reference: Callable[..., Any]
    parameters: dict[str, float] = {}  # noqa: RUF012 - no test changes it
    targets: Callable[[Any], Any] = lambda numbers: numbers
    deviation: float = 1.0

    @property
    def formula(self):
        return reference.losses.FORMULAS[self.objective._loss]()


LOSSES = {
    "least_squares": LossCase(st.LeastSquares, reference.least_squares),
    "logistic": LossCase(st.Logistic, reference.logistic, targets=lambda numbers: (numbers > 0) * 1.0),
    "huber": LossCase(st.Huber, reference.huber, {"delta": 1.35}),
    "poisson": LossCase(
        st.Poisson,
        reference.poisson,
        targets=lambda numbers: np.rint(np.exp(np.clip(numbers, -3.0, 3.0))),
        deviation=0.25,
    ),
}
each_loss = pytest.mark.parametrize("loss", LOSSES)


@dataclass(frozen=True)
class Problem:
    """A random problem as a native objective and as NumPy formulas."""

    loss: str = "least_squares"
    n: int = 23
    d: int = 5
    order: str = "C"
    dtype: type = np.float64
    weighted: bool = False
    intercept: bool = True
    alpha: float = 0.0
    l1_ratio: float = 0.0
    seed: int = 0

    @property
    def data(self):
        rng = np.random.default_rng(self.seed)
        X = LOSSES[self.loss].deviation * rng.standard_normal((self.n, self.d))
        y = X[:, :2] @ [1.0, -0.5][: self.d] + 0.3 + 0.5 * rng.standard_normal(self.n)
        y = LOSSES[self.loss].targets(y)
        s = rng.uniform(0.2, 3.0, self.n) if self.weighted else np.ones(self.n)
        return np.asarray(X, self.dtype, order=self.order), y.astype(self.dtype), s.astype(self.dtype)

    @property
    def objective(self):
        X, y, s = self.data
        weights = s if self.weighted else None
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        return LOSSES[self.loss][0](X, y, sample_weight=weights, **options)

    @property
    def penalised(self):
        return np.array([1.0] * self.d + [0.0] * self.intercept)

    @property
    def w0(self):
        return np.linspace(-0.5, 0.7, self.d + self.intercept).astype(self.dtype)

    def value_and_gradient(self, w):
        X, y, s = self.data
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        return LOSSES[self.loss][1](X, y, w, sample_weight=s, **options)

    def batch_gradient(self, w, rows):
        X, y, s = self.data
        _, g = LOSSES[self.loss][1](X[rows], y[rows], w, sample_weight=s[rows], intercept=self.intercept)
        l2 = self.alpha * (1 - self.l1_ratio) * self.penalised * w
        return g * s[rows].mean(dtype=float) / s.mean(dtype=float) + l2

    def gradient_norm(self, w):
        g, strength = self.value_and_gradient(w)[1], self.alpha * self.l1_ratio * self.penalised
        return np.linalg.norm(np.where(w == 0, reference.soft_threshold(g, strength), g + strength * np.sign(w)))

    def path(self, rule, epochs, batch_size=None, schedule=None, shuffle=True, seed=7, project=lambda w: w):
        """The parameters after every step of a NumPy loop."""
        w, state, path = self.w0.astype(float), {}, [self.w0.astype(float)]
        for epoch in range(epochs):
            order = _core.row_order(self.n, seed_of(seed), epoch) if shuffle else np.arange(self.n)
            for first in range(0, self.n, batch_size or self.n):
                rows = np.arange(self.n) if batch_size is None else order[first : first + batch_size]
                rate = {"learning_rate": schedule(len(path) - 1)} if schedule else {}
                l1 = self.alpha * self.l1_ratio * self.penalised
                g, keywords = self.batch_gradient(w, rows), {**rule.keywords, **rate, "l1": l1}
                w, state = rule.reference(w, g, state, len(path), **keywords)
                w = project(w)
                path.append(w)
        return np.array(path)


def run(problem, optimizer, epochs=3, seed=7, **options):
    w0, options = problem.w0, {"diagnose": False, **options}  # rates are chosen for other reasons than to be good
    return st.minimize(
        problem.objective, w0, optimizer, max_epochs=epochs, random_state=seed, record_path=True, **options
    )


def assert_follows(path, expected, tolerance=1e-12):
    assert path.shape == expected.shape
    steps = np.maximum(np.arange(len(path)), 1)
    scale = np.maximum(np.abs(expected).max(axis=1), 1e-3)  # with L1 all may be 0
    error = np.abs(path - expected).max(axis=1) / scale
    np.testing.assert_array_less(error, tolerance * steps)
