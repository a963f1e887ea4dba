"""Offsets of scores: their numbers against the reference, runs, minima of other codes, and what is refused."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as strategy

import steepest as st
from cases import LOSSES, RULES, Problem, assert_follows, each_loss
from steepest import reference
from steepest.objectives.parts import Parts

sparse = pytest.importorskip("scipy.sparse")


@dataclasses.dataclass(frozen=True)
class Shifted(Problem):
    """A problem with an offset of each row."""

    kind: str = "dense"

    @property
    def offset(self):
        return (0.7 * np.random.default_rng(self.seed + 5).standard_normal(self.n)).astype(self.dtype)

    @property
    def objective(self):
        X, y, s = self.data
        made: Any = X
        if self.kind == "csr":
            made = sparse.csr_array(X)
        elif self.kind == "table":
            made = st.Table(X)
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        weights = s if self.weighted else None
        return LOSSES[self.loss].objective(made, y, sample_weight=weights, offset=self.offset, **options)

    def value_and_gradient(self, w):
        X, y, s = (each.astype(float) for each in self.data)
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        return LOSSES[self.loss].reference(X, y, w, sample_weight=s, offset=self.offset.astype(float), **options)

    def hessian(self, w):
        X, y, s = (each.astype(float) for each in self.data)
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        hessian = getattr(reference, LOSSES[self.loss].reference.__name__ + "_hessian")
        return hessian(X, y, w, sample_weight=s, offset=self.offset.astype(float), **options)

    def batch_gradient(self, w, rows):
        X, y, s = self.data
        options = {"sample_weight": s[rows], "intercept": self.intercept, "offset": self.offset[rows]}
        _, g = LOSSES[self.loss].reference(X[rows], y[rows], w, **options)
        l2 = self.alpha * (1 - self.l1_ratio) * self.penalised * w
        return g * s[rows].mean(dtype=float) / s.mean(dtype=float) + l2


each_kind = pytest.mark.parametrize("kind", ["dense", "csr", "table"])


def check(problem, tolerance):
    objective, w = problem.objective, problem.w0
    value, gradient = problem.value_and_gradient(w.astype(float))
    assert objective.value(w) == pytest.approx(value, rel=tolerance)
    found, found_gradient = objective.value_and_gradient(w)
    assert found == pytest.approx(value, rel=tolerance)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(found_gradient, gradient, rtol=0, atol=tolerance * scale)
    hessian, v = problem.hessian(w.astype(float)), np.linspace(1.0, -0.5, len(w)).astype(w.dtype)
    size = np.abs(hessian).max()
    np.testing.assert_allclose(objective.hessian(w), hessian, rtol=0, atol=tolerance * size)
    np.testing.assert_allclose(objective.hessian_product(w, v), hessian @ v, rtol=0, atol=4 * tolerance * size)


@each_loss
@each_kind
def test_numbers_are_those_of_the_reference(isa, loss, kind):
    for order, d, weighted, dtype in (
        ("C", 5, True, np.float64),
        ("F", 9, False, np.float64),
        ("C", 17, True, np.float32),
    ):
        problem = Shifted(loss, n=301, d=d, order=order, weighted=weighted, dtype=dtype, alpha=0.2, kind=kind)
        check(problem, 1e-12 if dtype == np.float64 else 3e-6)


@given(
    strategy.sampled_from(sorted(LOSSES)), strategy.integers(1, 40), strategy.integers(1, 6), strategy.integers(0, 99)
)
def test_numbers_of_any_small_problem(loss, n, d, seed):
    check(Shifted(loss, n=n, d=d, weighted=seed % 2 == 0, intercept=seed % 3 > 0, seed=seed), 1e-11)


@pytest.mark.parametrize("storage", [np.float16, np.int8, np.uint8])
def test_narrow_columns_take_offsets_of_float32(storage):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (200, 7)).astype(storage)
    y, o = rng.integers(0, 2, 200).astype(np.float32), rng.standard_normal(200).astype(np.float32)
    w = np.linspace(-0.3, 0.4, 8).astype(np.float32)
    value, gradient = reference.logistic(X.astype(float), y, w, offset=o)
    found, found_gradient = st.Logistic(X, y, offset=o).value_and_gradient(w)
    assert found == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(found_gradient, gradient, rtol=0, atol=1e-6)


@each_loss
def test_standardised_columns_have_the_offsets_of_the_rows(loss):
    problem = Shifted(loss, n=120, d=4, weighted=True)
    X, y, s = problem.data
    centre, scale = X.mean(axis=0) + 0.2, X.std(axis=0) * 1.5
    options = {"sample_weight": s, "offset": problem.offset}
    objective = LOSSES[loss].objective(X, y, centre=centre, scale=scale, **options)
    value, gradient = LOSSES[loss].reference((X - centre) / scale, y, problem.w0, **options)
    found, found_gradient = objective.value_and_gradient(problem.w0)
    assert found == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(found_gradient, gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("kind", ["dense", "csr"])
@each_loss
def test_steps_follow_the_reference(isa, loss, kind, batch_size):
    problem = Shifted(loss, d=33, weighted=True, alpha=0.2, l1_ratio=0.4, kind=kind)
    for rule in (RULES[0], RULES[1]):
        result = st.minimize(
            problem.objective, problem.w0, rule.make(), max_epochs=2, random_state=7, record_path=True,
            diagnose=False, batch_size=batch_size,
        )  # fmt: skip
        assert_follows(result.path, problem.path(rule, 2, batch_size))
        value = problem.value_and_gradient(result.w)[0]
        assert result.value == pytest.approx(value, rel=1e-11)


@each_loss
@each_kind
@pytest.mark.parametrize(("n", "d"), [(40, 3), (30_000, 6)])
def test_quasi_newton_ends_at_the_minimum(loss, kind, n, d):
    problem = Shifted(loss, n=n, d=d, weighted=True, alpha=0.01, kind=kind)
    result = st.minimize(problem.objective, max_epochs=200)
    assert result.converged
    value, gradient = problem.value_and_gradient(result.w)
    assert np.abs(gradient).max() < 1e-8 * (1.0 + abs(value))
    assert result.value == pytest.approx(value, rel=1e-12)


def test_exposures_are_those_of_a_generalised_linear_model():
    """A rate of two groups is the count over the exposure: in closed form, and by statsmodels where it is installed."""
    rng = np.random.default_rng(0)
    group, exposure = np.arange(300) % 2, rng.uniform(0.1, 50.0, 300)
    y = rng.poisson(exposure * np.array([0.3, 1.7])[group]).astype(float)
    w = st.minimize(st.Poisson(group[:, None].astype(float), y, offset=np.log(exposure))).w
    rates = [y[group == k].sum() / exposure[group == k].sum() for k in (0, 1)]
    np.testing.assert_allclose(w, [np.log(rates[1] / rates[0]), np.log(rates[0])], rtol=1e-9)


@pytest.mark.parametrize("family", ["poisson", "logistic", "least_squares"])
def test_minima_are_those_of_statsmodels(family):
    models = pytest.importorskip("statsmodels.api")
    problem = Shifted(family, n=400, d=4, weighted=False)
    X, y, _ = problem.data
    kind = {"poisson": "Poisson", "logistic": "Binomial", "least_squares": "Gaussian"}[family]
    glm = models.GLM(
        y, np.column_stack([X, np.ones(400)]), family=getattr(models.families, kind)(), offset=problem.offset
    )
    np.testing.assert_allclose(st.minimize(problem.objective).w, glm.fit(tol=1e-12).params, rtol=1e-6, atol=1e-8)


def test_an_offset_of_zeros_changes_no_bit_of_residuals_and_counts():
    for loss in ("least_squares", "huber", "poisson"):
        problem = Problem(loss, n=700, d=11, weighted=True)
        X, y, s = problem.data
        objectives = [LOSSES[loss].objective(X, y, sample_weight=s, offset=o) for o in (None, np.zeros(700))]
        found = [objective.value_and_gradient(problem.w0) for objective in objectives]
        assert found[0][0] == found[1][0]
        assert found[0][1].tobytes() == found[1][1].tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_beside_any_offset_are_kept(dtype):
    limits = np.finfo(dtype)
    sizes = [0.0, -0.0, 1.0, -1.0, limits.max, -limits.max, limits.tiny, limits.smallest_subnormal, 0.1, 3e4]
    offset = np.repeat(np.array(sizes, dtype), 2)
    y = np.tile(np.array([0, 1], dtype), len(sizes))
    objective = st.Logistic(np.zeros((len(y), 1), dtype), y, offset=offset)
    np.testing.assert_array_equal(objective.targets, y)
    kept = objective.data.targets
    steps = kept.view(np.uint32 if dtype == np.float32 else np.uint64) ^ offset.view(kept.dtype.str.replace("f", "u"))
    assert steps.max() <= 1  # the last bit alone


@pytest.mark.parametrize("weighted", [False, True])
def test_the_best_constant_is_beside_the_offsets(weighted):
    for loss in LOSSES:
        problem = Shifted(loss, n=200, d=1, weighted=weighted)
        objective = problem.objective
        w = objective.constant_model()
        slope = problem.value_and_gradient(w)[1][-1]
        if loss == "huber":
            assert abs(slope) < 0.2  # the median, not the best constant of Huber's loss
        else:
            assert abs(slope) < 1e-10
    far = st.Logistic(np.zeros((4, 1)), np.array([0.0, 1.0, 0.0, 1.0]), offset=np.array([900.0, 900.0, -900.0, -900.0]))
    assert abs(far.constant_model()[-1]) <= 900.0


def test_offsets_go_into_validation_pickles_and_checkpoints(tmp_path):
    problem = Shifted("logistic", n=80, d=3, alpha=0.1)
    objective, w = problem.objective, problem.w0
    X, y, _ = problem.data
    assert pickle.loads(pickle.dumps(objective)).value(w) == objective.value(w)
    poisson = Shifted("poisson", n=80, d=3).objective
    assert pickle.loads(pickle.dumps(poisson)).value(w) == poisson.value(w)
    result = st.minimize(objective, max_epochs=1, optimizer=st.GradientDescent(0.1), validation=objective)
    expected = problem.value_and_gradient(result.w)[0] - 0.05 * result.w[:-1] @ result.w[:-1]
    assert result.history["validation_loss"][-1] == pytest.approx(expected, rel=1e-12)
    with pytest.raises(TypeError, match="validation must be an objective with an offset of its own"):
        st.minimize(objective, validation=(X, y))
    path = tmp_path / "run"
    st.minimize(objective, checkpoint=path)
    with pytest.raises(ValueError, match="must be of this problem"):
        st.minimize(st.Logistic(X, y, alpha=0.1, offset=problem.offset + 1.0), checkpoint=path)


def test_separable_classes_are_told_from_offsets_that_classify():
    """The offsets alone classify all rows with a tiny loss, but the columns do not: there is a minimum."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 2)), (np.arange(100) % 2).astype(float)
    result = st.minimize(st.Logistic(X, y, offset=40.0 * (2.0 * y - 1.0)), max_epochs=5)
    assert result.stop_reason != "separable"


def test_rows_of_weight_zero_are_absent():
    problem = Shifted("poisson", n=60, d=3)
    X, y, _ = problem.data
    weight, offset = np.ones(60), problem.offset.copy()
    weight[:5], offset[:5] = 0.0, 700.0
    value = st.Poisson(X, y, sample_weight=weight, offset=offset).value(problem.w0)
    assert value == pytest.approx(st.Poisson(X[5:], y[5:], offset=offset[5:]).value(problem.w0), rel=1e-13)


# What is refused


@pytest.mark.parametrize(
    ("offset", "error", "message"),
    [
        (np.zeros(4), ValueError, r"offset must be a contiguous float64 array of shape \(5,\)"),
        (np.zeros((5, 1)), ValueError, r"offset must be a contiguous float64 array of shape \(5,\)"),
        (np.zeros(5, np.float32), TypeError, "offset must be a contiguous float64 array"),
        (np.array([0.0, 1.0, np.nan, 0.0, 0.0]), ValueError, "offset must be finite, got nan at index 2"),
        (np.array([0.0, np.inf, 0.0, 0.0, 0.0]), ValueError, "offset must be finite, got inf at index 1"),
        ("log", TypeError, "offset must be a contiguous float64 array"),
    ],
)
def test_other_offsets_are_refused(offset, error, message):
    for loss in (st.LeastSquares, st.Logistic, st.Poisson, st.Huber):
        with pytest.raises(error, match=message):
            loss(np.ones((5, 2)), np.ones(5), offset=offset)


def test_offsets_beyond_the_dtype_are_refused():
    X, y = np.ones((3, 1)), np.array([1.0, 2.0, 0.0])
    with pytest.raises(ValueError, match=r"offset must leave exp\(offset\).* got offset 800 with y 2 at index 1"):
        st.Poisson(X, y, offset=np.array([0.0, 800.0, 0.0]))
    with pytest.raises(ValueError, match="offset must leave exp"):
        st.Poisson(X.astype(np.float32), y.astype(np.float32), offset=np.array([0.0, -95.0, 0.0], np.float32))
    with pytest.raises(ValueError, match="offset must leave y - offset within float64"):
        st.LeastSquares(X, np.full(3, 1.7e308), offset=np.full(3, -1.7e308))


def test_where_offsets_do_not_go():
    X, y = np.ones((4, 2)), np.array([0.0, 1.0, 2.0, 1.0])
    with pytest.raises(NotImplementedError, match="offset must be None for X in parts"):
        st.LeastSquares(Parts.of([(X, y)]), offset=np.zeros(4))


def test_terms_of_rows_are_those_of_scores_with_their_offsets():
    rng = np.random.default_rng(0)
    X, y, offset, z = rng.standard_normal((9, 2)), rng.integers(0, 2, 9) * 1.0, rng.standard_normal(9), np.ones((1, 9))
    found, expected = (st.Logistic(X, y, offset=each).row_terms(z, y) for each in (offset, None))
    for each, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(each, other)


def test_the_reference_adds_offsets_to_scores():
    """By hand for one row, and for a softmax by columns whose coefficients are known."""
    X, w = np.array([[0.6]]), np.array([0.5])
    value, gradient = reference.logistic(X, [1.0], w, intercept=False, offset=[0.5])
    assert value == pytest.approx(np.log1p(np.exp(-0.8)), rel=1e-15)
    assert gradient[0] == pytest.approx(-0.6 / (1.0 + np.exp(0.8)), rel=1e-14)
    value, gradient = reference.poisson(X, [2.0], w, intercept=False, offset=[0.5])
    assert value == pytest.approx(np.exp(0.8) - 1.6, rel=1e-15)
    assert gradient[0] == pytest.approx(0.6 * (np.exp(0.8) - 2.0), rel=1e-14)
    rng = np.random.default_rng(0)
    X, Z, y = rng.standard_normal((30, 2)), rng.standard_normal((30, 3)), np.arange(30) % 3
    w, v = rng.standard_normal((3, 3)), rng.standard_normal((3, 3))
    value, gradient = reference.softmax(X, y, w, offset=Z @ v.T)
    whole = np.column_stack([w[:, :2], v, w[:, 2]])
    expected, expected_gradient = reference.softmax(np.column_stack([X, Z]), y, whole)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient, expected_gradient[:, [0, 1, 5]], rtol=1e-11, atol=1e-13)
