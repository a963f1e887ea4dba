"""Implicit standardisation against objectives of standardised float64 copies: passes, runs, threads, digits."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, Problem, assert_follows, each_loss, each_rule
from steepest import _core
from steepest.objectives.scaling import column_statistics, unscaled
from storages import FORMATS, LARGEST, STORAGES, arithmetic, rounded, unit_of, values_of
from test_kernels import fenced

# Of the largest element, at least 1. Standardised, the coarse integers are larger.
TOLERANCE = {name: 4e-6 if name in FORMATS else 1.6e-5 for name in STORAGES} | {"float64": 1e-12}
FUSED = dict.fromkeys(TOLERANCE, 2.0)  # means in deviations: X as it is, or blocks that are standardised
BLOCKWISE = {**dict.fromkeys(TOLERANCE, 300.0), "float64": 1e6}
SHAPES = [(rows, columns) for rows in (1, 7, 33, 130) for columns in (1, 2, 8, 17, 33, 70)]
SETTINGS = [{}, {"intercept": False, "weighted": True}, {"weighted": True, "alpha": 0.3, "l1_ratio": 0.4}]

each_order = pytest.mark.parametrize("order", ["C", "F"])
each_storage = pytest.mark.parametrize("storage", TOLERANCE)
each_way = pytest.mark.parametrize("blockwise", [False, True], ids=["fused", "blockwise"])


@dataclass(frozen=True)
class Scaled(Problem):
    """A problem of raw columns with deviations over four decades, and its twin of standardised float64 copies."""

    storage: str = "float64"
    blockwise: bool = False

    @property
    def scaling(self):
        shift = (BLOCKWISE if self.blockwise else FUSED)[self.storage]
        if self.storage in FORMATS:
            scale, cosine = 10.0 ** np.linspace(-2, 2, self.d), np.cos(np.arange(self.d))
        else:  # within the range of the integers
            scale, cosine = LARGEST[self.storage] / (2 * shift) * 10.0 ** np.linspace(-0.5, 0, self.d), 0.5
        return {"centre": shift * scale * cosine, "scale": scale}

    @property
    def raw(self):
        X, y, s = super().data
        X = X * self.scaling["scale"] + self.scaling["centre"]
        X = rounded(X / unit_of(self.storage), self.storage)[0]
        dtype = arithmetic(self.storage)
        return np.asarray(X, order=self.order), y.astype(dtype), s.astype(dtype)

    @property
    def data(self):
        X, y, s = self.raw
        Z = (values_of(X, self.storage).astype(float) - self.scaling["centre"]) / self.scaling["scale"]
        return np.asarray(Z, order=self.order), y.astype(float), s.astype(float)

    @property
    def options(self):
        options = {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}
        return {**options, "sample_weight": self.raw[2] if self.weighted else None}

    @property
    def scaled(self):
        X, y, _ = self.raw
        return LOSSES[self.loss][0](X, y, **self.options, **self.scaling)

    def points(self):
        """The vectors in the dtype that the storage is computed with."""
        dtype = arithmetic(self.storage)
        return [vector.astype(dtype) for vector in self.vectors()]

    def vectors(self):
        """A point whose scores are moderate, and a direction."""
        n = self.d + self.intercept
        return self.w0 / math.sqrt(self.d), np.sin(1.0 + np.arange(n) ** 2) / math.sqrt(self.d)


def answers(objective, w, v):
    value, gradient = objective.value_and_gradient(w)
    hessian = [objective.hessian(w)] if w.size < 1000 else []
    return [value, objective.value(w), gradient, objective.hessian_product(w, v), *hessian]


@lru_cache(maxsize=len(SHAPES) * len(SETTINGS))
def expected_of(problem):
    """The answers of standardised copies, asked for with order "C": they are the same for every level and order."""
    return answers(problem.objective, *(point.astype(float) for point in problem.points()))


def check_passes(problem):
    expected = expected_of(replace(problem, order="C"))
    scale = TOLERANCE[problem.storage] * (4 if problem.n * problem.d > 10**5 else 1)
    if problem.loss == "poisson" and problem.storage not in FORMATS:
        scale *= 4  # the exponential of a score makes more of its rounding
    for got, wanted in zip(answers(problem.scaled, *problem.points()), expected, strict=True):
        tolerance = scale * max(np.abs(wanted).max(), 1.0)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance, err_msg=str(problem))


# Against standardised copies


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_order
@each_loss
@each_storage
@each_way
def test_follows_standardised_copies(
    isa, loss, storage, order, blockwise
):  # the first two vary fastest: see expected_of
    for shape in SHAPES:
        for setting in SETTINGS:
            check_passes(Scaled(loss, *shape, order, storage=storage, blockwise=blockwise, **setting))


@each_order
@each_loss
@each_storage
@each_way
@pytest.mark.parametrize("shape", [(3000, 300), (60_001, 7), (20, 7000)])
def test_follows_standardised_copies_over_many_chunks(loss, storage, order, blockwise, shape):
    with st.threads(3):
        check_passes(Scaled(loss, *shape, order, storage=storage, blockwise=blockwise, **SETTINGS[-1]))


@each_loss
@pytest.mark.parametrize("storage", ["float32", "float64"])
@each_order
def test_a_mean_of_a_thousand_deviations_costs_no_digits(loss, storage, order):
    rng, dtype = np.random.default_rng(0), np.dtype(storage)
    X = np.asarray(3 * rng.standard_normal((5000, 20)) + 3e3, dtype, order=order)
    y = (X[:, 0] + X[:, 1] > 6e3).astype(dtype)
    centre, scale = column_statistics(X)
    ours = LOSSES[loss][0](X, y, centre=centre, scale=scale)
    theirs = LOSSES[loss][0]((X.astype(float) - centre) / scale, y.astype(float))
    w = np.linspace(-0.3, 0.3, 21).astype(dtype)
    for got, wanted in [
        (ours.gradient(w), theirs.gradient(w.astype(float))),
        (ours.hessian(w), theirs.hessian(w.astype(float))),
    ]:
        np.testing.assert_allclose(got, wanted, rtol=0, atol=np.abs(wanted).max() * (1e-6 if dtype == "f4" else 2e-12))


@each_way
@each_order
def test_data_are_used_in_place_and_never_written(order, blockwise):
    problem = Scaled("logistic", 500, 11, order, blockwise=blockwise, alpha=0.1)
    X, y, _ = problem.raw
    kept = fenced(X)
    objective = st.Logistic(kept, y, **problem.scaling)
    w = problem.vectors()[0]
    np.testing.assert_array_equal(objective.gradient(w), st.Logistic(X, y, **problem.scaling).gradient(w))
    st.minimize(objective, batch_size=32, max_epochs=2)
    assert objective.X is kept
    np.testing.assert_array_equal(kept, X)


@each_loss
@each_way
def test_a_nan_is_never_swallowed(loss, blockwise):
    problem = Scaled(loss, 101, 9, blockwise=blockwise)
    X, y, _ = problem.raw
    X[57, 3] = np.nan
    value, gradient = LOSSES[loss][0](X, y, **problem.scaling).value_and_gradient(np.zeros(10))
    assert np.isnan([value, gradient[3], gradient[9]]).all()


@each_order
@each_way
@pytest.mark.parametrize("storage", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(20_001, 17), (41, 9001)])
def test_same_bits_for_any_number_of_threads(order, blockwise, storage, shape):
    problem = Scaled("logistic", *shape, order, storage=storage, blockwise=blockwise, weighted=True)
    objective, (w, v) = problem.scaled, (vector.astype(np.float32) for vector in problem.vectors())
    results = []
    for threads in (1, 2, 3, 8):
        with st.threads(threads):
            value, gradient = objective.value_and_gradient(w)
            results.append((value, gradient.tobytes(), objective.hessian_product(w, v).tobytes()))
            if shape[1] < 1000:
                results[-1] += (objective.hessian(w).tobytes(),)
    assert len(set(results)) == 1


# Runs


def paths(problem, optimizer, w0=None, **options):
    """Those of the same run over raw columns and over standardised copies."""
    options = {"max_epochs": 3, "random_state": 7, "record_path": True, "diagnose": False, **options}
    w0 = problem.vectors()[0] if w0 is None else w0
    return [
        st.minimize(objective, w0.astype(objective.dtype), optimizer, **options).path.astype(float)
        for objective in (problem.scaled, problem.objective)
    ]


@each_rule
@each_order
@pytest.mark.parametrize("batch_size", [None, 1, 6])
def test_runs_follow_those_of_standardised_copies(rule, order, batch_size):
    settings = [{}, {"intercept": False, "alpha": 0.2}, {"weighted": True, "alpha": 0.3, "l1_ratio": 0.6}]
    for loss in LOSSES:
        for setting in settings:
            assert_follows(*paths(Scaled(loss, 23, 5, order, **setting), rule.make(), batch_size=batch_size), 1e-11)


@each_storage
@each_order
@each_way
@pytest.mark.parametrize("batch_size", [1, 6])
def test_runs_follow_in_every_storage(storage, order, blockwise, batch_size):
    problem = Scaled("logistic", 23, 5, order, storage=storage, blockwise=blockwise, weighted=True)
    assert_follows(*paths(problem, st.Momentum(0.02), batch_size=batch_size), 10 * TOLERANCE[storage])


@each_loss
@pytest.mark.parametrize("constraint", [st.Box(-0.1, 0.2), st.Simplex(0.5)], ids=["box", "simplex"])
@pytest.mark.parametrize("batch_size", [None, 6])
def test_constraints_are_on_standardised_columns(loss, constraint, batch_size):
    start = np.full(6, 0.1)
    assert_follows(*paths(Scaled(loss), st.GradientDescent(0.05), start, constraint=constraint, batch_size=batch_size))


# What else an objective does


def test_validation_data_have_the_same_scaling():
    problem, other = Scaled(), Scaled(seed=5)
    ours = st.minimize(problem.scaled, validation=other.raw[:2], max_epochs=5)
    theirs = st.minimize(problem.objective, validation=other.data[:2], max_epochs=5)
    np.testing.assert_allclose(ours.history["validation_loss"], theirs.history["validation_loss"], rtol=1e-12)
    assert problem.scaled.loss_on(*problem.raw[:2]).scale is not None


def test_copies_by_pickle_keep_the_scaling():
    objective, w = Scaled(weighted=True, alpha=0.2).scaled, np.linspace(-1, 1, 6)
    copy = pickle.loads(pickle.dumps(objective))
    np.testing.assert_array_equal(copy.gradient(w), objective.gradient(w))
    np.testing.assert_array_equal(copy.centre, objective.centre)


def test_arrays_of_the_scaling_may_change_afterwards():
    problem, w = Scaled(), np.linspace(-1, 1, 6)
    scaling = problem.scaling
    X, y, _ = problem.raw
    objective = st.LeastSquares(X, y, **scaling)
    before, rows = objective.value(w), np.arange(problem.n, dtype=np.uint32)
    scaling["centre"][:] = np.nan
    assert objective.value(w) == objective.native_batch(rows).value(w) == before


@each_way
def test_batches_have_the_scaling(blockwise):
    problem, rows = Scaled(n=40, blockwise=blockwise), np.array([3, 0, 21, 39, 5], np.uint32)
    w = problem.vectors()[0]
    ours, theirs = (o.native_batch(rows).value_and_gradient(w) for o in (problem.scaled, problem.objective))
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)


@pytest.mark.parametrize("setting", [{"n": 60}, {"n": 60, "weighted": True, "alpha": 0.3}, {"n": 200, "d": 70}])
@pytest.mark.parametrize("storage", ["float32", "float64"])
def test_closed_form_is_of_standardised_columns(setting, storage):
    problem = Scaled(storage=storage, **setting)
    ours, theirs = st.normal_equation(problem.scaled), st.normal_equation(problem.objective)
    np.testing.assert_allclose(ours.w, theirs.w, atol=2e-6 if storage == "float32" else 1e-10)


@each_loss
def test_unscaled_parameters_give_raw_columns_the_same_scores(loss):
    problem = Scaled(loss)
    w = problem.vectors()[0]
    coefficients, intercept = unscaled(w[:-1], **problem.scaling, intercept=float(w[-1]))
    X, y, _ = problem.raw
    plain = LOSSES[loss][0](X, y).value(np.append(coefficients, intercept))
    assert plain == pytest.approx(problem.scaled.value(w), rel=1e-12)
    without = replace(problem, intercept=False)
    coefficients, intercept = unscaled(w[:-1], **problem.scaling)
    plain = LOSSES[loss][0](X, y).value(np.append(coefficients, intercept))
    assert plain == pytest.approx(without.scaled.value(w[:-1]), rel=1e-12)
