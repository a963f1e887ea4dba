"""Factors of the columns' penalties: numbers, steps and minima against the reference, columns left out, errors."""

from __future__ import annotations

import dataclasses
import pickle
import warnings

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, RULES, Problem, Rule, assert_follows, each_loss, each_rule
from steepest import reference

sparse = pytest.importorskip("scipy.sparse")
FACTORS = (0.0, 2.5, 1.0, 0.5, 0.5)


@dataclasses.dataclass(frozen=True)
class Factored(Problem):
    """A problem whose columns have factors of their penalties, in turn."""

    sparse: bool = False

    @property
    def factors(self):
        return np.resize(FACTORS, self.d)

    @property
    def penalised(self):
        return np.append(self.factors, np.zeros(int(self.intercept)))

    @property
    def options(self):
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        return {**options, "penalty_weight": self.factors}

    @property
    def objective(self):
        X, y, s = self.data
        X = sparse.csr_array(X) if self.sparse else X
        return LOSSES[self.loss].objective(X, y, sample_weight=s if self.weighted else None, **self.options)

    def value_and_gradient(self, w):
        X, y, s = self.data
        return LOSSES[self.loss].reference(X, y, w, sample_weight=s, **self.options)


each_l1 = pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])


@each_loss
@each_l1
def test_numbers_are_those_of_the_reference(isa, loss, l1_ratio):
    for order, d in (("C", 5), ("F", 17)):
        problem = Factored(loss, n=60, d=d, order=order, weighted=True, alpha=0.7, l1_ratio=l1_ratio)
        objective, w = problem.objective, problem.w0
        value, gradient = problem.value_and_gradient(w)
        assert objective.value(w) == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(objective.gradient(w), gradient, rtol=1e-11, atol=1e-12)
        X, y, s = problem.data
        expected = getattr(reference, loss + "_hessian")(X, y, w, sample_weight=s, **problem.options)
        np.testing.assert_allclose(objective.hessian(w), expected, rtol=1e-11, atol=1e-12)
        v = np.linspace(-1.0, 2.0, len(w))
        np.testing.assert_allclose(objective.hessian_product(w, v), expected @ v, rtol=1e-10, atol=1e-11)
        w = w.copy()
        w[1] = 0.0
        norm = objective.gradient_norm(w, objective.gradient(w))
        assert norm == pytest.approx(problem.gradient_norm(w), rel=1e-11)


@each_rule
@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_steps_follow_the_reference(isa, rule: Rule, batch_size, is_sparse):
    problem = Factored("logistic", d=33, weighted=True, alpha=0.2, l1_ratio=0.4, sparse=is_sparse)
    result = st.minimize(
        problem.objective, problem.w0, rule.make(), max_epochs=2, random_state=7, record_path=True,
        diagnose=False, batch_size=batch_size,
    )  # fmt: skip
    assert_follows(result.path, problem.path(rule, 2, batch_size))


@each_loss
@each_l1
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize(("n", "d"), [(60, 5), (20_000, 12)])
def test_quasi_newton_ends_at_the_minimum(loss, l1_ratio, is_sparse, n, d):
    problem = Factored(loss, n=n, d=d, weighted=True, alpha=0.1, l1_ratio=l1_ratio, sparse=is_sparse)
    result = st.minimize(problem.objective, max_epochs=300)
    assert result.converged
    assert problem.gradient_norm(result.w) < 1e-7
    assert result.value == pytest.approx(problem.value_and_gradient(result.w)[0], rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_penalty_on_scaled_columns_is_that_of_the_factors(dtype):
    """With ridge alone, factors f are columns over sqrt(f) and coefficients times sqrt(f): ridge regression."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    X, factors = rng.standard_normal((200, 6)), np.array([0.1, 4.0, 1.0, 9.0, 0.5, 2.0])
    y = X @ rng.standard_normal(6) + rng.standard_normal(200)
    ridge = linear.Ridge(alpha=0.3 * 200 / 2).fit(X / np.sqrt(factors), y)
    options = {"alpha": 0.3, "penalty_weight": factors}
    w = st.minimize(st.LeastSquares(X.astype(dtype), y.astype(dtype), **options)).w
    expected = ridge.coef_ / np.sqrt(factors)
    np.testing.assert_allclose(w[:-1], expected, rtol=1e-8 if dtype == np.float64 else 1e-4)


def test_factors_of_one_are_no_factors():
    X, y, _ = Problem(n=50).data
    objective = st.LeastSquares(X, y, alpha=0.3, penalty_weight=np.ones(5))
    assert objective.penalty_weight is None


# Columns that are left out


@pytest.mark.parametrize("loss", [*LOSSES, "softmax"])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_a_column_of_infinity_is_left_out(loss, alpha, l1_ratio):
    rng = np.random.default_rng(0)
    X = 0.4 * rng.standard_normal((400, 5))
    if loss == "softmax":
        made, y = st.Softmax, rng.integers(0, 3, 400).astype(float)
    else:
        made, y = LOSSES[loss].objective, LOSSES[loss].targets(X[:, 1] + rng.standard_normal(400))
    options = {"alpha": alpha, "l1_ratio": l1_ratio}
    factors = np.array([1.0, np.inf, 2.0, np.inf, 1.0])
    result = st.minimize(made(X, y, penalty_weight=factors, **options), max_epochs=300)
    kept = [0, 2, 4]
    other = st.minimize(made(X[:, kept].copy(), y, penalty_weight=factors[kept], **options), max_epochs=300)
    assert result.converged
    assert result.value == pytest.approx(other.value, rel=1e-9)
    table, expected = np.atleast_2d(result.w), np.atleast_2d(other.w)
    assert (table[:, [1, 3]] == 0.0).all()
    places = [*kept, 5]
    if loss == "softmax" and alpha == 0.0:  # equal shifts of all classes change nothing
        table, expected = table - table.mean(axis=0), expected - expected.mean(axis=0)
    np.testing.assert_allclose(table[:, places], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 8, None])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_steps_leave_it_at_zero(rule, batch_size):
    X, y, _ = Problem("logistic", n=40).data
    objective = st.Logistic(X, y, alpha=0.1, l1_ratio=0.5, penalty_weight=np.array([1.0, np.inf, 0.0, np.inf, 2.0]))
    result = st.minimize(objective, None, rule.make(), batch_size=batch_size, max_epochs=3, diagnose=False)
    assert (result.w[[1, 3]] == 0.0).all()
    assert np.isfinite(result.value)
    assert result.w[0] != 0.0


def test_a_value_off_zero_is_infinite_and_no_start():
    X, y, _ = Problem(n=40).data
    objective = st.LeastSquares(X, y, penalty_weight=np.array([1.0, np.inf, 0.0, 1.0, 2.0]))
    w = np.zeros(6)
    assert np.isfinite(objective.value(w))
    w[1] = 1e-3
    assert objective.value(w) == np.inf
    with pytest.raises(
        ValueError, match=r"w0 must be 0 in a column whose penalty_weight is infinity, got 0\.001 in column 1"
    ):
        st.minimize(objective, w)


def test_pickles_and_columns_keep_the_factors(tmp_path):
    problem = Factored(n=50, alpha=0.3)
    objective = problem.objective
    assert pickle.loads(pickle.dumps(objective)).value(problem.w0) == objective.value(problem.w0)
    X, y, _ = problem.data
    csr = st.LeastSquares(sparse.csr_array(X), y, alpha=0.3, penalty_weight=problem.factors)
    part = csr.in_columns(np.array([1, 3]))
    np.testing.assert_array_equal(part.penalty_weight, problem.factors[[1, 3]])
    path = tmp_path / "run"
    st.minimize(objective, checkpoint=path)
    with pytest.raises(ValueError, match="must be of this problem"):
        st.minimize(st.LeastSquares(X, y, alpha=0.3), checkpoint=path)


@pytest.mark.parametrize("loss", [st.LeastSquares, st.Logistic])
def test_more_columns_than_rows_of_float32_leave_it_at_zero(loss):
    """Steps leave out directions in which the columns are noise, none of which has a part of such a column."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((6, 40)).astype(np.float32), np.tile(np.float32([0, 1]), 3)
    factors = np.where(np.arange(40) == 3, np.inf, 1.0)
    found = st.minimize(loss(X, y, penalty_weight=factors), diagnose=False)
    assert found.w[3] == 0.0
    assert found.value < 0.05


@pytest.mark.parametrize("kind", ["dense", "csr", "table"])
def test_classes_that_a_column_without_a_penalty_separates_have_no_minimum(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = (X[:, 2] > 0).astype(float)
    made = {"dense": X, "csr": sparse.csr_array(X), "table": st.Table(X)}[kind]
    found = []
    for factors in ([1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0], [0.0, 0.0, np.inf, 1.0]):
        objective = st.Logistic(made, y, alpha=0.1, penalty_weight=np.array(factors))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", st.DiagnosisWarning)
            diagnosis = st.minimize(objective, max_epochs=300).diagnosis
        found.append(diagnosis.kind == "separable")
        assert "set alpha" not in diagnosis
    assert found == [True, False, False]
    counts = np.where(X[:, 2] > 0, 0.0, 3.0)
    zeros = (X[:, 2] > 0).astype(float)
    Z = np.column_stack([X[:, :2], zeros])
    poisson = st.Poisson(Z, counts, alpha=0.1, penalty_weight=np.array([1.0, 1.0, 0.0]))
    with pytest.warns(st.DiagnosisWarning, match="there is no minimum"):
        st.minimize(poisson, max_epochs=300)


def test_the_diagnosis_says_what_steps_over_sparse_rows_cost():
    X = sparse.csr_array(sparse.random(300, 4000, 0.001, random_state=0) + sparse.eye(300, 4000))
    y = np.arange(300.0) % 7
    told = []
    for factors in (None, np.linspace(0.5, 2.0, 4000)):
        objective = st.LeastSquares(X, y, alpha=0.01, penalty_weight=factors)
        result = st.minimize(objective, None, st.GradientDescent(1e-4), batch_size=1, max_epochs=3, random_state=0)
        told.append("as penalty_weight gives columns penalties of their own" in str(result.diagnosis))
    assert told == [False, True]


# What is refused


@pytest.mark.parametrize(
    ("factors", "error", "message"),
    [
        (np.ones(4), ValueError, r"of shape \(5,\)"),
        (np.ones((5, 1)), ValueError, r"of shape \(5,\)"),
        (np.array([1.0, -1.0, 1.0, 1.0, 1.0]), ValueError, "got -1 at index 1"),
        (np.array([1.0, 1.0, np.nan, 1.0, 1.0]), ValueError, "got nan at index 2"),
        (np.full(5, np.inf), ValueError, "penalty_weight must be finite for some column"),
        (np.array(list("abcde")), TypeError, "penalty_weight must be an array"),
        (2.0, ValueError, r"of shape \(5,\)"),
    ],
)
def test_other_factors_are_refused(factors, error, message):
    X, y, _ = Problem().data
    with pytest.raises(error, match=message):
        st.LeastSquares(X, y, penalty_weight=factors)


def test_the_closed_form_says_that_it_takes_none():
    with pytest.raises(ValueError, match="penalty_weight must be None for a closed form"):
        st.normal_equation(Factored(alpha=0.1).objective)


# The curvature


LEFT_OUT = np.array([1.0, np.inf, 1.0, np.inf, 1.0])


@pytest.mark.parametrize("method", ["dense", "lanczos"])
@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_columns_left_out_are_no_flat_directions(kind, method):
    """The curvature is that of the same objective without these columns."""
    rng = np.random.default_rng(0)
    X, y, k = rng.standard_normal((80, 5)) * [1.0, 7.0, 2.0, 9.0, 0.5], rng.integers(0, 2, 80) * 1.0, 1
    make = st.Logistic
    if kind == "softmax":
        y, k, make = rng.integers(0, 3, 80) * 1.0, 3, st.Softmax
    kept = np.isfinite(LEFT_OUT)
    w = rng.standard_normal((k, 6))
    w[:, :5][:, ~kept] = 0.0
    some = np.append(kept, True)
    found = st.curvature(make(X, y, alpha=0.1, penalty_weight=LEFT_OUT), w.ravel(), method=method)
    twin = st.curvature(make(X[:, kept], y, alpha=0.1), w[:, some].ravel(), method=method)
    assert (found.n_parameters, found.rank, found.kind) == (4 * k, twin.rank, twin.kind)
    np.testing.assert_allclose(found.eigenvalues, twin.eigenvalues, rtol=1e-9, atol=1e-12)
    assert found.condition_number == pytest.approx(twin.condition_number, rel=1e-7)
    assert found.gradient_norm == pytest.approx(twin.gradient_norm, rel=1e-12)
    vectors = found.eigenvectors.reshape(k, 6, -1)
    assert found.eigenvectors.shape == (6 * k, len(found.eigenvalues))
    assert not vectors[:, ~some].any()
    overlaps = np.abs(np.sum(vectors[:, some].reshape(4 * k, -1) * twin.eigenvectors, axis=0))
    np.testing.assert_allclose(overlaps, 1.0, atol=1e-6)
    if method == "dense":
        scales = found.parameter_scales.reshape(k, 6)
        np.testing.assert_allclose(scales[:, some].ravel(), twin.parameter_scales, rtol=1e-12)
        assert not scales[:, ~some].any()
        assert found.standardised_condition_number == pytest.approx(twin.standardised_condition_number)
        assert found.steps_to_gradient_norm(1e-3) == twin.steps_to_gradient_norm(1e-3)
    if kind == "logistic":  # without flat directions, which have names of parameters
        assert str(found) == str(twin)


def test_a_minimum_with_a_column_left_out_is_one():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 5))
    objective = st.LeastSquares(X, X[:, 0] + rng.standard_normal(60), penalty_weight=LEFT_OUT)
    found = st.curvature(objective, st.minimize(objective).w)
    assert (found.kind, found.rank) == ("minimum", 4)
    assert "flat" not in str(found)


def test_a_point_outside_is_refused():
    X, y = np.eye(5), np.arange(5.0)
    objective = st.LeastSquares(X, y, penalty_weight=LEFT_OUT)
    for measure in (st.curvature, st.taylor):
        with pytest.raises(
            ValueError, match="w must be 0 in a column whose penalty_weight is infinity, got 2 in column 3"
        ):
            measure(objective, np.array([0.0, 0.0, 0.0, 2.0, 0.0, 0.0]))
