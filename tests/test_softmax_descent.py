"""`minimize` of a `st.Softmax`: the native loop against one in NumPy, with every rule, and what else a run takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import cases
import steepest as st
from cases import assert_follows, each_rule, run
from steepest import reference


@dataclass(frozen=True)
class Problem(cases.Problem):
    """A random problem of k classes, whose parameters are flat."""

    loss: str = "softmax"
    k: int = 3

    @property
    def data(self):
        rng = np.random.default_rng(self.seed)
        X, y = rng.standard_normal((self.n, self.d)), rng.integers(0, self.k, self.n)
        X[:, 0] += y
        s = rng.uniform(0.2, 3.0, self.n) if self.weighted else np.ones(self.n)
        return np.asarray(X, self.dtype, order=self.order), y.astype(self.dtype), s.astype(self.dtype)

    @property
    def objective(self):
        X, y, s = self.data
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        return st.Softmax(X, y, sample_weight=s if self.weighted else None, n_classes=self.k, **options)

    @property
    def shape(self):
        return self.k, self.d + self.intercept

    @property
    def penalised(self):
        return np.tile([1.0] * self.d + [0.0] * self.intercept, self.k)

    @property
    def w0(self):
        return np.linspace(-0.5, 0.7, self.k * self.shape[1]).astype(self.dtype)

    def value_and_gradient(self, w):
        X, y, s = self.data
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        value, gradient = reference.softmax(X, y, w.reshape(self.shape), sample_weight=s, **options)
        return value, gradient.ravel()

    def batch_gradient(self, w, rows):
        X, y, s = self.data
        matrix = w.reshape(self.shape)
        _, g = reference.softmax(X[rows], y[rows], matrix, sample_weight=s[rows], intercept=self.intercept)
        l2 = self.alpha * (1 - self.l1_ratio) * self.penalised * w
        return g.ravel() * s[rows].mean(dtype=float) / s.mean(dtype=float) + l2


PENALTIES = [{}, {"weighted": True, "alpha": 0.1, "l1_ratio": 0.5}, {"intercept": False, "alpha": 0.2}]
each_batch = pytest.mark.parametrize("batch_size", [None, 1, 7, 23, 200])


@pytest.mark.parametrize("penalty", PENALTIES)
@each_batch
@each_rule
def test_follows_a_loop_in_numpy(rule, batch_size, penalty):
    problem = Problem(n=40, **penalty)
    result = run(problem, rule.make(), epochs=2, batch_size=batch_size)
    assert_follows(result.path, problem.path(rule, 2, batch_size))
    assert result.w.shape == problem.shape
    np.testing.assert_array_equal(result.w.ravel(), result.path[-1])
    value, _ = problem.value_and_gradient(result.path[-1])
    assert result.value == pytest.approx(value, rel=1e-12)
    norm = problem.gradient_norm(result.path[-1])
    assert result.history["gradient_norm"][-1] == pytest.approx(norm, rel=1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("k", [2, 10])
@each_batch
def test_follows_a_loop_in_numpy_at_every_level(isa, batch_size, k, order):
    problem = Problem(n=150, d=21, k=k, order=order, weighted=True, alpha=0.1)
    rule = cases.RULES[0]
    result = run(problem, rule.make(), epochs=2, batch_size=batch_size)
    assert_follows(result.path, problem.path(rule, 2, batch_size))


def test_l1_makes_coefficients_zero_and_leaves_the_intercepts():
    problem = Problem(n=200, d=8, alpha=0.3, l1_ratio=1.0)
    result = st.minimize(problem.objective, optimizer=st.GradientDescent(0.3), max_epochs=500)
    zeros = result.w == 0
    assert zeros[:, 1:8].all()
    assert not zeros[:, 8].any()
    assert result.history["gradient_norm"][-1] < 1e-8


def test_many_parameters_are_updated_on_several_threads():
    problem = Problem(
        n=30, d=9000, k=9, weighted=True, alpha=0.01, l1_ratio=0.3
    )  # more than one task, rows across them
    rule = cases.RULES[0]
    with st.threads(3):
        result = run(problem, rule.make(), epochs=2, batch_size=10)
    assert_follows(result.path, problem.path(rule, 2, 10))


def test_box_bounds_every_class_and_leaves_the_intercepts():
    problem = Problem(n=60)
    rule = cases.RULES[0]
    lower, upper = np.full(5, -0.1), np.full(5, 0.2)
    start = problem.w0.reshape(problem.shape)
    start[:, :5] = np.clip(start[:, :5], -0.1, 0.2)
    result = st.minimize(
        problem.objective, start, rule.make(), max_epochs=300, constraint=st.Box(lower, upper), record_path=True
    )
    assert ((result.w[:, :5] >= -0.1) & (result.w[:, :5] <= 0.2)).all()
    assert (np.abs(result.w[:, 5]) > 0.2).any()
    same = st.minimize(problem.objective, start, rule.make(), max_epochs=300, constraint=st.Box(-0.1, 0.2))
    np.testing.assert_array_equal(result.w, same.w)
    with pytest.raises(ValueError, match=r"for each row of w0"):
        st.minimize(problem.objective, start + 1, rule.make(), constraint=st.Box(-0.1, 0.2))


def test_simplex_is_refused():
    with pytest.raises(ValueError, match=r"one row of coefficients, got a Softmax of 3 classes"):
        st.minimize(Problem().objective, optimizer=st.GradientDescent(0.1), constraint=st.Simplex())


@pytest.mark.parametrize("as_tuple", [True, False])
def test_validation_returns_the_best_weights(as_tuple):
    problem, other = Problem(n=60), Problem(n=50, seed=1, weighted=True)
    X, y, s = other.data
    data = (X, y, s) if as_tuple else other.objective
    result = st.minimize(
        problem.objective, problem.w0, st.Adam(0.05), batch_size=16, max_epochs=20, validation=data, random_state=3
    )
    losses = result.history["validation_loss"]
    assert result.best_epoch == np.argmin(losses)
    value, _ = reference.softmax(X, y, result.w, sample_weight=s)
    assert losses.min() == pytest.approx(value, rel=1e-12)


def test_validation_of_other_classes_is_refused():
    with pytest.raises(ValueError, match="validation must have 18 parameters"):
        st.minimize(Problem().objective, validation=Problem(k=4).objective)
    X, y, _ = Problem().data
    with pytest.raises(ValueError, match=r"validation: y must hold .* got 3 at index 0"):
        st.minimize(Problem().objective, validation=(X, y + 3.0))


@pytest.mark.parametrize("batch_size", [None, 5])
def test_an_automatic_rate_reaches_the_minimum(batch_size):
    problem = Problem(n=80, alpha=0.05)
    result = st.minimize(
        problem.objective, optimizer=st.GradientDescent("auto"), batch_size=batch_size, max_epochs=60, random_state=0
    )
    best = st.minimize(problem.objective, optimizer=st.GradientDescent(0.5), max_epochs=3000)
    assert result.value < best.value + (1e-4 if batch_size is None else 0.1)


def test_starts_and_a_flat_w0():
    problem = Problem(n=30)
    matrix = problem.w0.reshape(problem.shape)
    flat, shaped = (st.minimize(problem.objective, w0, max_epochs=3) for w0 in (problem.w0, matrix))
    np.testing.assert_array_equal(flat.w, shaped.w)
    assert st.minimize(problem.objective, matrix, max_epochs=3, starts=2, random_state=0).w.shape == problem.shape


def test_divergence_returns_the_last_finite_parameters():
    problem = Problem(n=30, dtype=np.float32)
    with pytest.warns(st.DivergenceWarning):
        result = st.minimize(problem.objective, problem.w0, st.GradientDescent(3e38), batch_size=1, max_epochs=5)
    assert result.stop_reason == "diverged"
    assert np.isfinite(problem.objective.value(result.w))


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    problem = Problem(n=50, dtype=np.float32)
    X, y, _ = (torch.from_numpy(array) for array in problem.data)
    objective = st.Softmax(X, y)
    w = torch.ones(problem.shape)
    gradient = objective.gradient(w)
    assert gradient.shape == w.shape
    result = st.minimize(objective, w, max_epochs=2)
    assert isinstance(result.w, torch.Tensor)
    assert result.w.shape == w.shape
