"""Data of a kind that the package does not know: only passes, no rows by number and no arrays. All that reads data runs
over it, and gives what it gives over the same rows in one array."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import steepest as st
from steepest import _core
from steepest.objectives import binding
from steepest.objectives.columns import Columns
from steepest.objectives.conditioned import conditioned
from steepest.objectives.dense import DenseData
from steepest.objectives.protocol import Capability, supports
from steepest.objectives.rounding import rounding_of_gradient
from steepest.optimizers.runner_for import runner_for
from steepest.optimizers.runners import NativeRunner, PythonRunner
from steepest.quasi_newton import plan
from steepest.quasi_newton.plan import SamplePlan
from steepest.quasi_newton.sample import column_squares

N, D, K = 300, 4, 3


class Parts:
    """Rows in parts, each with its targets and weights."""

    def __init__(self, X, y, weight):
        cuts = [slice(0, 37), slice(37, 38), slice(38, 211), slice(211, None)]
        self.parts = [DenseData(X[c], y[c], weight[c], float(weight[c].sum())) for c in cuts]


class PartsObjective:
    """The native face: passes over the parts, whose sums are added. It has no Hessian and no batches."""

    def __init__(self, parts, terms):
        self.parts = [part.bind(terms) for part in parts]
        self.curved = [(part.weight_sum, part.bind(terms._replace(l1=0.0, l2=0.0))) for part in parts]
        self.l2, self.terms, self.passes = terms.l2, terms, 0

    def supports(self, capability):
        return capability == "column_statistics"

    def value_and_gradient(self, w):
        self.passes += 1
        return self.parts[0].finish(_core.add_sums([part.sums(w) for part in self.parts]), w)

    def value(self, w):
        return self.value_and_gradient(w)[0]

    def gradient_norm(self, w, gradient):
        return self.parts[0].gradient_norm(w, gradient)

    def hessian_product(self, w, v):
        total = sum(weight for weight, _ in self.curved)
        ridge = np.reshape(self.l2 * v, (self.terms.n_scores, -1)).copy()
        ridge[:, ridge.shape[1] - self.terms.intercept :] = 0.0
        return sum(weight * each.hessian_product(w, v) for weight, each in self.curved) / total + ridge.ravel()


class PartsData:
    """What the seam asks of `Parts`. Every other member is missing, so that reading it is an error."""

    device, storage, dtype, n_features, target_facts = None, "float64", np.dtype(np.float64), D, None

    def __init__(self, X, targets, weights):
        self.X, self.targets, self.weights = X, targets, weights
        self.n_samples = sum(part.n_samples for part in X.parts)
        self.n_elements = self.n_samples * D
        self.weight_sum = sum(part.weight_sum for part in X.parts)
        self.least_weight = min(part.least_weight for part in X.parts)

    def supports(self, capability):
        return False

    def check_targets(self, check):
        for part in self.X.parts:
            part.check_targets(check)

    def bind(self, terms):
        return PartsObjective(self.X.parts, terms)

    def column_statistics(self):
        found = functools.reduce(Columns.with_more, [Columns.of(part.X, part.weights) for part in self.X.parts])
        return found.mean, found.deviation


class Looked(Parts):
    """The same rows, of which blocks can be looked at. A subclass: its row stands before that of `Parts`."""


class LookedData(DenseData):
    """Rows by number in Python, and passes alone in the native loop: neither Hessians nor batches."""

    @classmethod
    def over(cls, X, *nothing):
        joined = (np.concatenate([getattr(part, name) for part in X.parts]) for name in ("X", "targets", "weights"))
        return cls(*joined, sum(part.weight_sum for part in X.parts))

    def supports(self, capability):
        return capability in (Capability.ROWS, Capability.TARGETS)

    def taken(self, index, weight_sum=None):
        raise AssertionError("these data have no batches")

    def bind(self, terms):
        return PartsObjective([DenseData(self.X, self.targets, self.weights, self.weight_sum)], terms)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The rows of the table that new kinds of data need."""
    monkeypatch.setitem(binding.KINDS, Looked, LookedData.over)
    monkeypatch.setitem(binding.KINDS, Parts, lambda X, y, weight, given: PartsData(X, y, weight))


def rows(loss, far=0.0, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(N, D)) * np.geomspace(0.3, 3.0, D) + far
    z = (X - far) @ np.linspace(-1.0, 1.0, D)
    y = {"Logistic": z + random.normal(size=N) > 0, "Softmax": np.digitize(z + random.normal(size=N), [-1, 1])}
    targets = y.get(loss, z + random.normal(size=N))
    return X, np.asarray(targets, float), random.integers(0, 3, N).astype(float)


def both(loss, far=0.0, source=Parts, **options):
    """The objective over parts, and over one array."""
    X, y, weight = rows(loss, far)
    if loss == "Softmax":
        options["n_classes"] = K
    kind = getattr(st, loss)
    return kind(source(X, y, weight), None, **options), kind(X, y, sample_weight=weight, **options)


LOSSES = ("LeastSquares", "Logistic", "Huber", "Softmax")
OPTIONS = {
    "plain": {"alpha": 0.01},
    "no intercept": {"alpha": 0.01, "intercept": False},
    "l1": {"alpha": 0.05, "l1_ratio": 0.9},
    "standardised": {"alpha": 0.01, "centre": np.linspace(-1.0, 1.0, D), "scale": np.linspace(0.5, 2.0, D)},
    "no penalty": {},
}


@pytest.mark.parametrize("source", [Parts, Looked])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_quasi_newton_finds_the_minimum_over_one_array(loss, options, source):
    foreign, dense = both(loss, source=source, **options)
    found, expected = st.minimize(foreign, stop=st.stop.GradientNorm(1e-8)), st.minimize(dense)
    assert found.converged
    assert expected.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)
    np.testing.assert_allclose(np.diff(found.w, axis=0), np.diff(expected.w, axis=0), atol=1e-6)  # Softmax has a gauge


@pytest.mark.parametrize("loss", LOSSES)
def test_quasi_newton_ends_by_itself(loss):
    """Without a stopping rule the end is "precision", as the gradient is as small as its rounding."""
    foreign, _ = both(loss, alpha=0.01)
    result = st.minimize(foreign)
    assert result.converged, result
    assert result.history["gradient_norm"][-1] < 1e-7


def test_far_columns_are_centred_by_their_statistics():
    """A column 3,000 deviations from zero costs a diagonal hundreds of passes, unless it is centred."""
    foreign, dense = both("Logistic", far=3000.0)
    found, expected = st.minimize(foreign, max_epochs=60), st.minimize(dense)
    assert found.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-10)
    np.testing.assert_allclose(found.w[:-1], expected.w[:-1], rtol=1e-4)


@pytest.mark.parametrize("rule", [st.GradientDescent(0.05), st.GradientDescent("auto"), st.Adam(0.05)], ids=repr)
@pytest.mark.parametrize("loss", LOSSES)
def test_descent_takes_the_same_steps(loss, rule):
    foreign, dense = both(loss, alpha=0.01)
    found, expected = (st.minimize(each, None, rule, max_epochs=20, diagnose=False) for each in (foreign, dense))
    assert found.n_steps == expected.n_steps == 20
    np.testing.assert_allclose(found.w, expected.w, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-9)


def test_curvature_and_products_come_by_passes():
    foreign, dense = both("Logistic", alpha=0.1)
    w, v = np.random.default_rng(3).normal(size=(2, D + 1))
    np.testing.assert_allclose(foreign.hessian_product(w, v), dense.hessian_product(w, v), rtol=1e-12)
    np.testing.assert_allclose(foreign.hessian(w), dense.hessian(w), rtol=1e-12, atol=1e-15)
    found, expected = st.curvature(foreign, w), st.curvature(dense, w)
    np.testing.assert_allclose(found.eigenvalue_max, expected.eigenvalue_max, rtol=1e-6)


def test_what_needs_rows_is_refused():
    foreign, _ = both("Logistic")
    with pytest.raises(ValueError, match=r"^batch_size=8 needs an objective with steps over some of its rows"):
        st.minimize(foreign, optimizer=st.Adam(), batch_size=8)
    with pytest.raises(
        TypeError, match=r"^normal_equation needs an objective with rows in host memory.*use st.minimize"
    ):
        st.normal_equation(both("LeastSquares")[0])


class Whole(st.LeastSquares):
    """Native data without rows by number."""

    def supports(self, capability):
        return capability != Capability.BATCHES and super().supports(capability)


def test_whole_data_runs_stay_native_without_rows_by_number():
    X, y, _ = rows("LeastSquares")
    whole = Whole(X, y)
    assert not supports(whole, Capability.BATCHES)
    assert type(runner_for(whole, st.Adam(), np.zeros(D + 1))) is NativeRunner
    assert type(runner_for(both("LeastSquares")[0], st.Adam(), np.zeros(D + 1))) is PythonRunner
    found, expected = (
        st.minimize(whole, None, st.Adam(), max_epochs=5),
        st.minimize(st.LeastSquares(X, y), None, st.Adam(), max_epochs=5),
    )
    assert found.w.tobytes() == expected.w.tobytes()


@pytest.fixture
def steps_cost_their_pass(monkeypatch):
    """Let a step over little data cost no more than what it reads."""
    monkeypatch.setattr(plan, "_STEP_ALONE", 0.0)


def test_the_plan_counts_what_a_pass_reads(steps_cost_their_pass):
    """A Hessian costs the same, in passes a hundred times as many where a pass reads a hundredth of the numbers."""
    n, d = 10_000, 100
    whole, sparse = (SamplePlan(n, d, d, 4, n_elements=n * d // part) for part in (1, 100))
    assert sparse.cost(1000) == pytest.approx(100 * whole.cost(1000), rel=1e-12)
    assert whole.cost(1000) == SamplePlan(n, d, d, 4).cost(1000)


def test_the_plan_counts_what_a_step_costs_beside_its_pass():
    """Where there is little to read, a Hessian costs few steps."""
    d = 100
    assert SamplePlan(50, d, d, 4).cost(50) < 1.0
    assert SamplePlan(50, d, d, 4).cost(50) == pytest.approx(SamplePlan(50, d, d, 4, n_elements=50).cost(50), rel=0.1)


def test_a_plan_is_made_by_what_data_can_do(steps_cost_their_pass):
    foreign, dense = both("Logistic")
    assert SamplePlan.of(dense).whole
    assert SamplePlan.of(foreign).possible is False
    many = SamplePlan.of(foreign)
    foreign.data.n_elements //= 10
    assert SamplePlan.of(foreign).cost(100) == pytest.approx(10 * many.cost(100), rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"centre": np.full(D, 5.0), "scale": np.linspace(0.5, 2.0, D)}])
def test_the_diagonal_comes_from_statistics(options):
    """For squares it is the diagonal of the Hessian, whose columns lie five units from zero."""
    foreign, dense = both("LeastSquares", far=5.0, alpha=0.3, **options)
    expected = np.diag(dense.hessian(np.zeros(D + 1)))
    np.testing.assert_allclose(column_squares(foreign, N, 0), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic"])
def test_the_rounding_of_a_gradient_comes_from_statistics(loss):
    """The look at rows takes all of these few, so that the statistics say the same."""
    foreign, dense = both(loss, far=5.0)
    assert rounding_of_gradient(foreign) == pytest.approx(rounding_of_gradient(dense), rel=1e-12, abs=0.0)


@pytest.mark.parametrize(("far", "centred"), [(0.0, False), (3e3, True), (1e7, False)])
def test_columns_are_centred_as_far_as_their_source_can(far, centred):
    """Without blocks, sums are made from those over raw columns, which lose the digits of a distance of 1e7."""
    inner, coordinates = conditioned(both("Logistic", far=far, alpha=0.1)[0])
    assert (coordinates is not None) == (inner.scaling is not None) == centred


@pytest.mark.parametrize("n", [N, 20_000])
def test_separable_classes_are_found_where_rows_can_be_looked_at(n):
    """With 20,000 rows a sample that overlaps would end the search: that takes Hessians, which these data lack."""
    random = np.random.default_rng(0)
    X = random.normal(size=(n, D))
    y, weight = (X[:, 0] > 0).astype(float), np.ones(n)
    with pytest.warns(st.DiagnosisWarning, match="the classes are separable"):
        assert st.minimize(st.Logistic(Looked(X, y, weight), None)).stop_reason == "separable"
    y[::7] = 1.0 - y[::7]
    found, expected = st.minimize(st.Logistic(Looked(X, y, weight), None)), st.minimize(st.Logistic(X, y))
    assert (found.converged, expected.converged) == (True, True)
    assert found.value == pytest.approx(expected.value, rel=1e-12)


@pytest.mark.parametrize("loss", ["Logistic", "Softmax"])
def test_separable_classes_are_found_by_their_loss(loss):
    """Without rows there is the value alone: below log(2) times the least weight, every row is on its side."""
    X, _, weight = rows(loss)
    y = (X[:, 0] > 0).astype(float)
    options = {} if loss == "Logistic" else {"n_classes": 2}
    objective = getattr(st, loss)(Parts(X, y, 3.0 * weight), None, **options)
    assert objective.data.least_weight == 3.0
    with pytest.warns(st.DiagnosisWarning, match="the classes are separable"):
        result = st.minimize(objective)
    assert (result.stop_reason, result.converged) == ("separable", False)
    assert result.value < np.log(2.0) * 3.0 / objective.weight_sum
