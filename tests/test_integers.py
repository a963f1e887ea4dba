"""X of integers: extremes, columns far from zero, exact differences, other libraries' arrays, estimators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest

import steepest as st
from steepest import _core, reference
from steepest.objectives.columns import exponents_of, may_be_extreme, may_be_far_from_zero
from steepest.objectives.conditioned import conditioned
from steepest.objectives.rounding import rounding_of_gradient
from storages import FORMATS, NARROW
from stored_problems import Numbers, Stored
from test_arrays import OldProducer, Producer
from test_storage import check_passes, results_of

INTEGERS = [name for name in NARROW if name not in FORMATS]
SIZES = [(1, 1), (7, 15), (33, 17), (129, 16), (40, 65), (5, 1000), (1000, 3)]

each_integer = pytest.mark.parametrize("storage", INTEGERS)
each_order = pytest.mark.parametrize("order", ["C", "F"])


def any_integers(storage, shape, seed=0):
    """Integers of the whole range, the ends among them."""
    limits = np.iinfo(storage)
    X = np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype=storage, endpoint=True)
    X.flat[0], X.flat[-1] = limits.min, limits.max
    return X


@lru_cache(maxsize=len(SIZES))
def numbers_of(loss, n, d, storage):
    X, (_, y, s) = any_integers(storage, (n, d)), Stored(loss, n, d, weighted=True, storage=storage).data
    return Numbers(X.view(f"u{X.itemsize}"), X.astype(np.float32), y, s)


@dataclass(frozen=True)
class WholeRange(Stored):
    """A problem with integers of the whole range of their dtype, and scores of order 1."""

    @property
    def numbers(self):
        return numbers_of(self.loss, self.n, self.d, self.storage)

    @property
    def w0(self):
        return super().w0 * np.float32(16.0 / np.iinfo(self.storage).max)

    @property
    def direction(self):
        return super().direction / np.float32(np.iinfo(self.storage).max)


def test_the_native_list():
    of_float32 = ("float32", "float16", "bfloat16", "uint8", "int8", "int16")
    assert _core.storages == {**dict.fromkeys(of_float32, "float32"), "float64": "float64"}


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_order
@each_integer
@pytest.mark.parametrize("loss", ["least_squares", "logistic", "huber"])
@pytest.mark.parametrize("setting", [{}, {"weighted": True, "intercept": False, "alpha": 0.3, "l1_ratio": 0.4}])
def test_the_whole_range_follows_the_reference(isa, loss, storage, order, setting):
    for n, d in SIZES:
        check_passes(WholeRange(loss, n, d, order, storage=storage, **setting), d < 100)


@each_order
@each_integer
@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_steps_have_the_bits_of_float32(isa, storage, order, batch_size):
    """Integers are exact in float32, and a step's rows are widened before they are summed in a row-major copy."""
    X, y = any_integers(storage, (64, 19)), np.random.default_rng(1).standard_normal(64).astype(np.float32)
    objectives = [st.LeastSquares(np.asarray(each, order=order), y) for each in (X, X.astype(np.float32))]
    rate = 0.02 / float(np.square(X.astype(float)).sum(axis=1).max())
    paths = [
        st.minimize(o, optimizer=st.GradientDescent(rate), batch_size=batch_size, max_epochs=2, random_state=0).w
        for o in objectives
    ]
    if batch_size == 1:
        assert paths[0].tobytes() == paths[1].tobytes()
    np.testing.assert_allclose(paths[0], paths[1], rtol=2e-4, atol=1e-7)


# Columns


@pytest.mark.parametrize(("storage", "least", "exponent"), [("int8", -128, 8), ("int16", -32768, 16), ("uint8", 0, 0)])
def test_the_least_integer_has_a_magnitude(storage, least, exponent):
    X = np.full((5, 2), least, storage)
    assert exponents_of(X).tolist() == [exponent, exponent]
    assert exponents_of(X, np.ones(5)).tolist() == [exponent, exponent]
    assert not may_be_extreme(X)


def far(storage, n=5000, d=4):
    """Columns of a few integers at the end of the range, whose mean is many deviations away."""
    rng = np.random.default_rng(0)
    X = (np.iinfo(storage).max - rng.integers(0, 2 if storage == "int8" else 4, (n, d))).astype(storage)
    y = X[:, 0].astype(float) - 2.0 * X[:, 1] + 0.5 * X[:, 2] + rng.standard_normal(n) / 8
    return X, (y - y.mean()).astype(np.float32)


@each_order
@each_integer
def test_columns_far_from_zero_lose_no_digits(storage, order):
    """The slopes are those of centred columns in float64, to about the digits of float32."""
    X, y = far(storage)
    X = np.asarray(X, order=order)
    assert may_be_far_from_zero(X)
    objective = st.LeastSquares(X, y)
    inner, coordinates = conditioned(objective)
    assert coordinates is not None
    assert inner.arrays.X is objective.arrays.X  # not copied
    centred = X.astype(float) - X.astype(float).mean(axis=0)
    expected = np.linalg.lstsq(centred, y.astype(float), rcond=None)[0]
    result = st.minimize(objective)
    assert result.converged
    np.testing.assert_allclose(result.w[:-1], expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(st.normal_equation(objective).w[:-1], expected, rtol=2e-5, atol=2e-5)


@each_integer
def test_rounding_is_that_of_float32(storage):
    X = any_integers(storage, (300, 5))
    y = np.ones(300, np.float32)
    objectives = [st.LeastSquares(each, y) for each in (X, X.astype(np.float32))]
    assert objectives[0].given_eps == np.finfo(np.float32).eps
    assert rounding_of_gradient(objectives[0]) == rounding_of_gradient(objectives[1])


def test_columns_that_differ_in_one_row_are_told_apart():
    """Two columns of large integers that differ by 1 in one row of 300: the difference is exact."""
    rng = np.random.default_rng(0)
    X = rng.integers(-30_000, 30_000, (300, 2)).astype(np.int16)
    X[:, 1] = X[:, 0]
    X[17, 1] += 1
    slopes = np.array([3.0, -1.0])
    y = (X @ slopes).astype(np.float32)
    assert np.array_equal(y, X.astype(float) @ slopes)
    for w in (st.minimize(st.LeastSquares(X, y)).w, st.normal_equation(st.LeastSquares(X, y)).w):
        np.testing.assert_allclose(w[:2], slopes, rtol=1e-3)


@each_integer
@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_quasi_newton_ends_at_the_minimum(storage, loss):
    """At the end the gradient of the reference on the same numbers in float64 is near zero."""
    rng = np.random.default_rng(2)
    X = (rng.integers(0, 100, (4000, 9))).astype(storage)
    signal = (X[:, 0].astype(float) - X[:, 1]) / 40 + rng.logistic(size=4000)
    if loss == "logistic":
        y = (signal > 0).astype(np.float32)
        objective, formula = st.Logistic(X, y, alpha=1e-3), reference.logistic
    else:
        y = np.digitize(signal, [-1, 1]).astype(np.float32)
        objective, formula = st.Softmax(X, y, alpha=1e-3), reference.softmax
    result = st.minimize(objective)
    assert result.converged
    _, gradient = formula(X.astype(float), y.astype(float), result.w.astype(float), alpha=1e-3)
    _, start = formula(X.astype(float), y.astype(float), np.zeros_like(result.w, float), alpha=1e-3)
    assert np.abs(gradient).max() < 1e-4 * np.abs(start).max()


# Where arrays come from


@each_integer
@pytest.mark.parametrize("producer", [Producer, OldProducer])
def test_arrays_of_other_libraries(storage, producer):
    X, y = any_integers(storage, (23, 7)), np.ones(23, np.float32)
    w = (np.arange(8) / np.iinfo(storage).max).astype(np.float32)
    ours, theirs = st.LeastSquares(X, y), st.LeastSquares(producer(X), y)
    assert theirs.gradient(w).tobytes() == ours.gradient(w).tobytes()
    assert theirs.arrays.X.ctypes.data == X.ctypes.data


@each_integer
def test_every_method_takes_strided_batches_and_views(storage):
    """A slice of rows of a larger array starts at any address."""
    whole = any_integers(storage, (50, 21))
    first, *others = (
        list(results_of(Stored("logistic", 50, 21, storage=storage, weighted=True, offset=offset)))
        for offset in (0, 1, 3, 7)
    )
    assert all(other == first for other in others)
    with pytest.raises(ValueError, match=rf"^X must be .*{storage}.*strides"):
        st.LeastSquares(whole[:, ::2], np.zeros(50, np.float32))


@pytest.mark.parametrize("dtype", ["bool", "uint16", "int32", "int64", ">i2", "uint32"])
def test_other_integers_are_refused(dtype):
    with pytest.raises(TypeError, match=r"^X must be .*uint8, int8 or int16 .*X.astype\(np.float32\)"):
        st.LeastSquares(np.ones((4, 2), dtype), np.zeros(4, np.float32))


@each_integer
def test_targets_and_parameters_are_not_of_integers(storage):
    with pytest.raises(TypeError, match=rf"^y must .*float32.*for a {storage} X.*got {storage}"):
        st.LeastSquares(np.ones((4, 2), storage), np.zeros(4, storage))


# Estimators


@each_integer
@each_order
def test_estimators_convert_integers_to_float64(storage, order):
    """As they do float16: small data of integers lose no digits."""
    X = np.asarray(any_integers(storage, (60, 3)), order=order)
    y = X[:, 0].astype(float) + np.sin(np.arange(60.0))
    for make, target in ((st.LinearRegressor, y), (st.LogisticClassifier, y > np.median(y))):
        narrow, wide = make().fit(X, target), make().fit(X.astype(float), target)
        assert narrow.coef_.dtype == np.float64
        assert narrow.coef_.tobytes() == wide.coef_.tobytes()
        assert narrow.predict(X).tobytes() == wide.predict(X.astype(float)).tobytes()
