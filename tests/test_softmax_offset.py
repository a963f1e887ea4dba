"""Offsets of a softmax, one for each row and class: numbers, steps and minima against the reference."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

import softmax_problems
import steepest as st
import test_softmax_descent
from cases import RULES, assert_follows
from softmax_problems import each_dtype, each_order
from steepest import reference
from steepest.objectives.parts import Parts

sparse = pytest.importorskip("scipy.sparse")


def offsets(n, k, seed=7):
    return 1.5 * np.random.default_rng(seed).standard_normal((n, k))


@dataclass(frozen=True)
class Shifted(softmax_problems.Problem):
    """A problem with an offset for each row and class."""

    kind: str = "dense"

    @cached_property
    def offset(self):
        return offsets(self.n, self.k).astype(self.dtype)

    @property
    def objective(self):
        X, y, s = self.data
        made = {"dense": lambda: X, "csr": lambda: sparse.csr_array(X), "table": lambda: st.Table(X)}[self.kind]()
        return st.Softmax(made, y, sample_weight=s, n_classes=self.k, offset=self.offset, **self.options)

    @property
    def exact(self):
        X, y, s = (None if each is None else each.astype(float) for each in self.data)
        return (X, y), {"sample_weight": s, "offset": self.offset.astype(float), **self.options}

    def expected(self):
        arrays, options = self.exact
        return reference.softmax(*arrays, self.w.astype(float), **options)

    def hessian(self):
        arrays, options = self.exact
        return reference.softmax_hessian(*arrays, self.w.astype(float), **options)


def assert_near(actual, expected, dtype):
    expected = np.asarray(expected)
    scale = (2e-5 if dtype == np.float32 else 1e-12) * max(np.abs(expected).max(), 1e-3)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=scale)


@each_dtype
@each_order
@pytest.mark.parametrize("kind", ["dense", "csr", "table"])
def test_numbers_are_those_of_the_reference(isa, dtype, order, kind):
    for n, d, k, weighted in ((40, 5, 3, True), (1, 1, 2, False), (613, 33, 7, True), (3000, 17, 4, False)):
        problem = Shifted(n, d, k, order, dtype, weighted, alpha=0.3, kind=kind)
        objective, w, v = problem.objective, problem.w, problem.v
        value, gradient = problem.expected()
        found, found_gradient = objective.value_and_gradient(w)
        assert_near([objective.value(w), found], [value, value], dtype)
        assert_near(found_gradient, gradient, dtype)
        hessian = problem.hessian()
        assert_near(objective.hessian(w), hessian, dtype)
        product = (hessian @ v.astype(float).ravel()).reshape(v.shape)
        assert_near(objective.hessian_product(w, v), product, dtype)


@pytest.mark.parametrize("storage", [np.float16, np.int8])
@each_order
def test_narrow_columns_take_offsets_of_float32(storage, order):
    rng = np.random.default_rng(0)
    X, y = np.asarray(rng.integers(0, 5, (700, 9)), storage, order=order), rng.integers(0, 3, 700).astype(np.float32)
    offset, w = offsets(700, 3).astype(np.float32), (0.1 * rng.standard_normal((3, 10))).astype(np.float32)
    value, gradient = reference.softmax(X.astype(float), y, w.astype(float), offset=offset.astype(float))
    found, found_gradient = st.Softmax(X, y, offset=offset).value_and_gradient(w)
    assert found == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(found_gradient, gradient, rtol=0, atol=2e-6)


@pytest.mark.parametrize("away", [0.2, 1e7])  # applied to w, and to blocks of rows
def test_standardised_columns_have_the_offsets_of_the_rows(away):
    rng = np.random.default_rng(0)
    X, y, offset, w = rng.standard_normal((300, 4)), np.arange(300.0) % 3, offsets(300, 3), np.ones((3, 5))
    w[0] = -1.0
    centre, scale = X.mean(axis=0), X.std(axis=0) * 1.5
    objective = st.Softmax(X + away, y, centre=centre + away, scale=scale, offset=offset)
    value, gradient = reference.softmax((X - centre) / scale, y, w, offset=offset)
    found, found_gradient = objective.value_and_gradient(w)
    assert found == pytest.approx(value, rel=1e-8)
    np.testing.assert_allclose(found_gradient, gradient, rtol=0, atol=1e-8)


@dataclass(frozen=True)
class Stepped(test_softmax_descent.Problem):
    """A problem of steps whose rows have offsets."""

    kind: str = "dense"

    @property
    def offset(self):
        return offsets(self.n, self.k)

    @property
    def objective(self):
        X, y, s = self.data
        X = sparse.csr_array(X) if self.kind == "csr" else X
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio, "offset": self.offset}
        return st.Softmax(X, y, sample_weight=s, n_classes=self.k, **options)

    def value_and_gradient(self, w):
        X, y, s = self.data
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio, "offset": self.offset}
        value, gradient = reference.softmax(X, y, w.reshape(self.shape), sample_weight=s, **options)
        return value, gradient.ravel()

    def batch_gradient(self, w, rows):
        X, y, s = self.data
        options = {"sample_weight": s[rows], "intercept": self.intercept, "offset": self.offset[rows]}
        g = reference.softmax(X[rows], y[rows], w.reshape(self.shape), **options)[1].ravel()
        return g * s[rows].mean() / s.mean() + self.alpha * (1 - self.l1_ratio) * self.penalised * w


@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("kind", ["dense", "csr"])
def test_steps_follow_the_reference(isa, kind, batch_size):
    problem = Stepped(d=33, weighted=True, alpha=0.2, l1_ratio=0.4, kind=kind)
    for rule in (RULES[0], RULES[1]):
        result = st.minimize(
            problem.objective, problem.w0, rule.make(), max_epochs=2, random_state=7, record_path=True,
            diagnose=False, batch_size=batch_size,
        )  # fmt: skip
        assert_follows(result.path, problem.path(rule, 2, batch_size))
        assert result.value == pytest.approx(problem.value_and_gradient(result.w.ravel())[0], rel=1e-11)


@pytest.mark.parametrize("kind", ["dense", "csr", "table"])
@pytest.mark.parametrize(("n", "d"), [(60, 3), (30_000, 6)])
def test_quasi_newton_ends_at_the_minimum(kind, n, d):
    problem = Shifted(n, d, 3, weighted=True, alpha=0.01, kind=kind)
    result = st.minimize(problem.objective, max_epochs=200)
    arrays, options = problem.exact
    value, gradient = reference.softmax(*arrays, result.w, **options)
    assert result.converged
    assert np.abs(gradient).max() < 1e-8
    assert result.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(40, 90), (300, 5)])
def test_an_l1_penalty_over_wide_and_tall_data(n, d):
    """The conditions of a minimum, with the gradient of the reference. Wide data may go by working sets."""
    problem = Shifted(n, d, 3, alpha=0.05, l1_ratio=1.0)
    result = st.minimize(problem.objective, max_epochs=3000)
    arrays, options = problem.exact
    gradient, w = reference.softmax(*arrays, result.w, **options)[1], result.w
    slopes, coefficients = gradient[:, :-1], w[:, :-1]
    assert result.converged
    assert np.abs(gradient[:, -1]).max() < 1e-6
    assert np.abs(slopes[coefficients == 0.0]).max() <= 0.05 + 1e-6
    assert np.abs(slopes + 0.05 * np.sign(coefficients))[coefficients != 0.0].max() < 1e-6


def test_shifted_scores_of_two_classes_are_a_logistic_regression():
    """A softmax of the scores 0 and z + o is logistic regression with the offset o. Statsmodels fits it, too."""
    models = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(3)
    X, offset = rng.standard_normal((500, 3)), rng.standard_normal(500)
    y = (X @ [1.0, -0.5, 0.2] + offset + rng.logistic(size=500) > 0) * 1.0
    w = st.minimize(st.Softmax(X, y, offset=np.column_stack([np.zeros(500), offset])), max_epochs=200).w
    glm = models.GLM(y, np.column_stack([X, np.ones(500)]), family=models.families.Binomial(), offset=offset)
    np.testing.assert_allclose(w[1] - w[0], glm.fit(tol=1e-12).params, rtol=1e-6, atol=1e-8)


def test_an_offset_of_zeros_changes_no_bit():
    problem = softmax_problems.Problem(700, 11, weighted=True)
    X, y, s = problem.data
    plain, zeros = (st.Softmax(X, y, sample_weight=s, offset=each) for each in (None, np.zeros((700, 3))))
    for found, expected in zip(zeros.value_and_gradient(problem.w), plain.value_and_gradient(problem.w), strict=True):
        assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()


def test_equal_offsets_of_a_row_change_nothing():
    problem = softmax_problems.Problem(90, 4)
    X, y, _ = problem.data
    found = st.Softmax(X, y, offset=np.tile(np.linspace(-30.0, 30.0, 90)[:, None], 3)).value_and_gradient(problem.w)
    expected = st.Softmax(X, y).value_and_gradient(problem.w)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("size", [1.0, 30.0])
def test_the_best_constants_are_beside_the_offsets(weighted, size):
    problem = Shifted(200, 1, 4, weighted=weighted)
    X, y, s = problem.data
    objective = st.Softmax(np.zeros_like(X), y, sample_weight=s, offset=size * problem.offset)
    slopes = objective.gradient(objective.constant_model().reshape(4, 2))[:, -1]
    assert np.abs(slopes).max() < 1e-10
    np.testing.assert_array_equal(objective.targets, y)


def test_the_number_of_threads_changes_no_bit():
    problem = Shifted(40_000, 6, 3, weighted=True)
    found = []
    for threads in (1, 2, 3):
        with st.threads(threads):
            value, gradient = problem.objective.value_and_gradient(problem.w)
            found.append((value, gradient.tobytes()))
    assert found[0] == found[1] == found[2]


def test_offsets_go_into_validation_pickles_samples_and_checkpoints(tmp_path):
    problem = Shifted(80, 3, alpha=0.1)
    objective, w = problem.objective, problem.w
    X, y, _ = problem.data
    assert pickle.loads(pickle.dumps(objective)).value(w) == objective.value(w)
    rows = np.array([3, 50, 7, 7], np.int64)
    taken = objective.with_data(objective.data.taken(rows))
    expected = st.Softmax(X[rows], y[rows], n_classes=3, alpha=0.1, offset=problem.offset[rows])
    assert taken.value(w) == pytest.approx(expected.value(w), rel=1e-14)
    np.testing.assert_array_equal(taken.targets, y[rows])
    assert pickle.loads(pickle.dumps(taken)).value(w) == taken.value(w)
    result = st.minimize(objective, max_epochs=1, optimizer=st.GradientDescent(0.1), validation=objective)
    coefficients = result.w[:, :-1]
    loss = objective.value(result.w) - 0.05 * np.sum(coefficients**2)
    assert result.history["validation_loss"][-1] == pytest.approx(loss, rel=1e-12)
    with pytest.raises(TypeError, match="validation must be an objective with an offset of its own"):
        st.minimize(objective, validation=(X, y))
    path = tmp_path / "run"
    st.minimize(objective, checkpoint=path)
    assert st.minimize(objective, checkpoint=path).converged
    other = problem.offset.copy()
    other[4, 1] += 1.0
    with pytest.raises(ValueError, match="must be of this problem"):
        st.minimize(st.Softmax(X, y, n_classes=3, alpha=0.1, offset=other), checkpoint=path)


def test_offsets_that_classify_do_not_make_classes_separable():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((120, 2)), np.arange(120.0) % 3
    offset = np.where(y[:, None] == np.arange(3), 40.0, 0.0)
    assert st.minimize(st.Softmax(X, y, offset=offset), max_epochs=5).stop_reason != "separable"


def test_rows_of_weight_zero_are_absent():
    problem = Shifted(60, 3)
    X, y, _ = problem.data
    weight, offset = np.ones(60), problem.offset.copy()
    weight[:5], offset[:5] = 0.0, 1e300
    value = st.Softmax(X, y, sample_weight=weight, offset=offset).value(problem.w)
    assert value == pytest.approx(st.Softmax(X[5:], y[5:], offset=offset[5:]).value(problem.w), rel=1e-13)


@pytest.mark.parametrize(
    ("offset", "error", "message"),
    [
        (np.zeros(5), ValueError, r"offset must be a float64 array of shape \(5, 3\), .* got float64 of shape \(5,\)"),
        (np.zeros((5, 2)), ValueError, r"offset must be a float64 array of shape \(5, 3\)"),
        (np.zeros((5, 3), np.float32), TypeError, "offset must be a float64 array"),
        (np.zeros((5, 3), int), TypeError, "offset must be a float64 array"),
        ("log", TypeError, "offset must be a float64 array"),
        (np.full((5, 3), np.inf), ValueError, "offset must be finite, got inf in row 0, class 0"),
        (np.where(np.arange(15).reshape(5, 3) == 7, np.nan, 0.0), ValueError, "got nan in row 2, class 1"),
    ],
)
def test_other_offsets_are_refused(offset, error, message):
    with pytest.raises(error, match=message):
        st.Softmax(np.ones((5, 2)), np.arange(5.0) % 3, offset=offset)


def test_parts_take_none():
    X, y = np.ones((4, 2)), np.array([0.0, 1.0, 2.0, 1.0])
    with pytest.raises(NotImplementedError, match="offset must be None for X in parts"):
        st.Softmax(Parts.of([(X, y)]), offset=np.zeros((4, 3)))


@pytest.mark.parametrize(("n", "d"), [(40, 90), (300, 5)])
def test_a_path_ends_where_a_fit_does(n, d):
    problem = Shifted(n, d, 3, alpha=0.05, l1_ratio=1.0)
    path = st.path(problem.objective, np.array([0.1, 0.05]))
    found = st.minimize(problem.objective, max_epochs=3000)
    assert path.converged.all()
    np.testing.assert_allclose(path.values[-1], found.value, rtol=1e-7)
