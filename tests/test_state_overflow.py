"""A state of an adaptive rule that overflows: its coordinate would stand still for ever, and so it is NaN instead."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import steepest as st
from device_arrays import on_device

each_rule = pytest.mark.parametrize("make", [st.Adam, st.RMSProp, st.AdaGrad])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@each_rule
@each_dtype
def test_a_step_gives_nan_there_and_no_other_bit_elsewhere(isa, make, dtype):
    too_large = dtype(2 * np.sqrt(float(np.finfo(dtype).max)) / np.sqrt(0.001))  # Adam takes 0.001 of the square
    for size in (1, 3, 70):
        for at in {0, size // 2, size - 1}:
            gradient = np.linspace(-1, 1, size).astype(dtype)
            plain, w = np.full(size, 2, dtype), np.full(size, 2, dtype)
            make(0.1).step(plain, gradient)
            gradient[at] = too_large
            optimizer = make(0.1)
            optimizer.step(w, gradient)
            assert np.isnan(w[at])
            assert np.delete(w, at).tobytes() == np.delete(plain, at).tobytes()
            assert optimizer.overflowed


@each_dtype
def test_a_sum_of_squares_overflows_at_its_second_term(dtype):
    g = dtype(0.9 * np.sqrt(float(np.finfo(dtype).max)))  # g^2 is 0.81 of the largest number
    optimizer, w = st.AdaGrad(0.1), np.ones(2, dtype)
    optimizer.step(w, np.array([g, 1], dtype))
    np.testing.assert_allclose(w, 0.9, rtol=1e-6)  # eta g / sqrt(g^2)
    assert not optimizer.overflowed
    optimizer.step(w, np.array([g, 1], dtype))
    assert np.isnan(w[0])
    np.testing.assert_allclose(w[1], 0.9 - 0.1 / np.sqrt(2), rtol=1e-6)


@each_rule
def test_the_reference_says_the_same(make):
    twin = {st.Adam: st.reference.adam, st.RMSProp: st.reference.rmsprop, st.AdaGrad: st.reference.adagrad}[make]
    g, w = np.array([1e200, 1.0, 0.0]), np.ones(3)
    with np.errstate(over="ignore"):
        theirs, _ = twin(w, g, {}, 1, 0.1)
    make(0.1).step(w, g)
    np.testing.assert_allclose(w, theirs, rtol=1e-12)
    assert np.isnan(theirs[0])


def data(dtype=np.float32):
    """Targets and a column of 1e12, whose gradient is 1e24: the largest float32 is 3e38, its root 2e19."""
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, (40, 3)).astype(dtype)
    X[:, 0] *= dtype(1e12)
    return X, (X[:, 0] * dtype(2)).astype(dtype)


def diverges(objective, make, match, **options):
    with pytest.warns(st.DivergenceWarning, match=match):
        result = st.minimize(objective, None, make(0.1), max_epochs=20, random_state=0, **options)
    assert result.stop_reason == "diverged"
    assert not result.converged
    w = result.w if isinstance(result.w, np.ndarray) else result.w.numpy()
    assert not w.any()  # the last finite evaluation was at the start
    return result


FLOAT32 = "diverged in epoch 1: the squares of gradients overflow float32 in the state of .*, or use float64$"


@each_rule
@pytest.mark.parametrize("batch_size", [None, 16, 1])
def test_a_run_diverges(make, batch_size):
    result = diverges(st.LeastSquares(*data()), make, FLOAT32, batch_size=batch_size)
    assert result.diagnosis.kind == "exploding"
    assert result.diagnosis.learning_rate is None  # none is small enough


@each_rule
@pytest.mark.parametrize("batch_size", [None, 16, 1])
def test_a_run_on_a_device_diverges(cuda, make, batch_size):
    X, y = data()
    diverges(st.LeastSquares(on_device(X), on_device(y)), make, FLOAT32, batch_size=batch_size)


@each_rule
@pytest.mark.parametrize("storage", [np.float16, np.float32])
def test_other_losses_and_storages_diverge(make, storage):
    X = np.ones((40, 2), storage)
    X[:, 0] = np.where(np.arange(40) % 2, 6e4, 1)
    objective = st.Softmax(X, (np.arange(40) % 3).astype(np.float32), alpha=1e10)
    w = np.zeros(objective.parameters_shape, np.float32)
    w[0] = 1e15  # where the L2 penalty has a gradient of 1e25
    with pytest.warns(st.DivergenceWarning, match=r"squares of gradients overflow float32"):
        result = st.minimize(objective, w, make(0.1), max_epochs=20)
    assert result.stop_reason == "diverged"
    assert result.w.tobytes() == w.tobytes()


def test_a_function_diverges():
    slope = np.array([0.9 * np.sqrt(np.finfo(float).max), 1.0])  # twice its square overflows
    function = st.Function(lambda w: (float(slope @ w), slope), 2)
    match = "in epoch 2: .* overflow float64 in the state of AdaGrad; change the units so that the loss is near 1$"
    with pytest.warns(st.DivergenceWarning, match=match):
        result = st.minimize(function, np.zeros(2), st.AdaGrad(0.1), max_epochs=20)
    assert (result.stop_reason, result.n_steps) == ("diverged", 2)
    np.testing.assert_allclose(result.w, -0.1)  # of the first step


@each_rule
def test_a_function_whose_squared_gradient_overflows(make):
    slope = np.array([1e200, 1.0])  # of a finite norm, since norms are scaled
    function = st.Function(lambda w: (float(slope @ w), slope), 2)
    with pytest.warns(st.DivergenceWarning, match="the squares of gradients overflow float64"):
        result = st.minimize(function, np.zeros(2), make(0.1))
    assert result.stop_reason == "diverged"
    assert not result.w.any()


@each_rule
def test_with_l1_and_a_constraint_too(make):
    X, y = data()
    diverges(st.LeastSquares(X, y, alpha=0.1, l1_ratio=1.0), make, FLOAT32)
    diverges(st.LeastSquares(X, y), make, FLOAT32, constraint=st.Box(-1, 1))


@each_rule
def test_in_float64_the_same_data_do_not(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error", st.DivergenceWarning)
        result = st.minimize(st.LeastSquares(*data(np.float64)), None, make(0.1), max_epochs=20, diagnose=False)
    assert result.stop_reason == "max_epochs"
    assert result.value < result.history["loss"][0]


def test_a_learning_rate_is_advised_where_it_is_the_cause():
    X, y = 100 * np.eye(2, dtype=np.float32), np.ones(2, np.float32)  # gradients of 50, then of 5e20
    match = "overflow float32 in the state of Adam; .*, or use float64; or try a learning rate of 1e\\+..$"
    with pytest.warns(st.DivergenceWarning, match=match):
        result = st.minimize(st.LeastSquares(X, y), None, st.Adam(1e17), max_epochs=20)
    assert result.diagnosis.learning_rate < 1e16
