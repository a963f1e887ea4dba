"""Steps from single sparse rows, which run many at a time: those of a loop over dense rows, whatever ends a run."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest import _core

sparse = pytest.importorskip("scipy.sparse")

SLOPES = {
    st.LeastSquares: lambda z, y: 2.0 * (z - y),
    st.Logistic: lambda z, y: 0.5 * (1.0 + np.tanh(0.5 * z)) - y,
    st.Poisson: lambda z, y: np.exp(z) - y,
}


def rows_of(n, d, dtype=np.float64, seed=0):
    """Rows of 0 to 8 entries, some of them of the same column, and a row with one of every column."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 9, n)
    lengths[n // 2] = d
    columns = (d * rng.random(lengths.sum()) ** 2).astype(np.int32)
    values = (rng.standard_normal(len(columns)) / 4).astype(dtype)
    X = sparse.csr_array((values, columns, np.append(0, np.cumsum(lengths))), shape=(n, d))
    dense = np.zeros((n, d))
    np.add.at(dense, (np.repeat(np.arange(n), lengths), columns), values.astype(float))
    return X, dense, rng.integers(0, 2, n).astype(dtype), rng.uniform(0.5, 1.5, n).astype(dtype)


def stepped(loss, dense, y, weight, alpha, rates, epochs=1):
    """The loop of stochastic gradient descent over dense rows, in float64, with the intercept last."""
    w = np.zeros(dense.shape[1] + 1)
    y, weight, t = y.astype(float), weight.astype(float), 0
    for epoch in range(epochs):
        for row in _core.row_order(len(y), 0, epoch):
            slope = weight[row] / weight.mean() * SLOPES[loss](dense[row] @ w[:-1] + w[-1], y[row])
            w -= rates[t] * np.append(slope * dense[row] + alpha * w[:-1], slope)
            t += 1
    return w


def descent_of(objective, w):
    kind = _core.Descent32 if w.dtype == np.float32 else _core.Descent64
    return kind(objective.native, _core.Rule("gradient_descent"), w, (), 0, 1, True, 0)


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", SLOPES)
def test_follows_the_loop_over_dense_rows(isa, loss, dtype):
    X, dense, y, weight = rows_of(300, 40, dtype)
    objective = loss(X, y, sample_weight=weight, alpha=0.02)
    w = np.zeros(41, dtype)
    run = descent_of(objective, w)
    assert run.takes_sparse_steps
    for epoch in range(2):
        assert run.run(np.full(300, 0.1), 60.0, None) == (300, True, False)
        run.settle()
        wanted = stepped(loss, dense, y, weight, 0.02, np.full(600, 0.1), epoch + 1)
        np.testing.assert_allclose(w, wanted, atol=2e-5 if dtype == np.float32 else 1e-12)
    assert run.n_steps == 600


@pytest.mark.parametrize(("alpha", "rate"), [(0.5, 1.0), (0.0, 0.1), (2.9, 0.5), (4.2, 0.5)])
def test_scales_that_leave_the_numbers_that_are_moderate(alpha, rate):
    """The step multiplies w by 1 - alpha rate: by 1/2 it is below 2^-20 of it after 20 steps; or it turns the sign."""
    X, dense, y, weight = rows_of(300, 12)
    w = np.zeros(13)
    run = descent_of(st.Logistic(X, y, sample_weight=weight, alpha=alpha), w)
    run.run(np.full(300, rate), 60.0, None)
    run.settle()
    wanted = stepped(st.Logistic, dense, y, weight, alpha, np.full(300, rate))
    np.testing.assert_allclose(w, wanted, atol=1e-12 * np.abs(wanted).max())


def test_many_at_a_time_are_one_at_a_time():
    """The same bits, at rates that change between some of the steps, and in runs of any length."""
    X, dense, y, weight = rows_of(700, 40)
    rates = np.repeat([0.1, 0.05, 0.2, 0.01], [300, 7, 1, 392])
    found = []
    for length in (700, 1, 65, 130):
        w = np.zeros(41)
        run = descent_of(st.Logistic(X, y, sample_weight=weight, alpha=0.02), w)
        for first in range(0, 700, length):
            run.run(rates[first : first + length], 60.0, None)
        run.settle()
        found.append(w)
    np.testing.assert_allclose(found[0], stepped(st.Logistic, dense, y, weight, 0.02, rates), atol=1e-12)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@pytest.mark.parametrize("place", [0, 1, 63, 64, 200, 299])
def test_a_loss_that_is_not_finite_ends_the_run_before_its_step(place):
    """The row at this place of the order has a value whose square overflows."""
    X, _, y, _ = rows_of(300, 12)
    lengths = np.diff(X.indptr)
    row = _core.row_order(300, 0, 0)[place]
    X = X.tolil()
    X[row, 0] = 1e200
    X = X.tocsr()
    assert lengths.max() > 1
    w = np.zeros(13)
    objective = st.LeastSquares(X, y, intercept=True)
    w[0] = 1.0
    run = descent_of(objective, w)
    n, done, diverged = run.run(np.full(300, 1e-3), 60.0, None)
    assert (n, done, diverged) == (place, False, True)
    assert run.n_steps == place
    np.testing.assert_array_equal(w, np.eye(1, 13)[0])  # back to where it began
