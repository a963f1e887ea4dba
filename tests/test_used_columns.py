"""Runs of QuasiNewton over sparse rows that leave most columns without entries: only the others are kept."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest.objectives.used import UsedColumns
from steepest.quasi_newton.lbfgs import bytes_of_pairs

sparse = pytest.importorskip("scipy.sparse")

N, D, USED, PER_ROW = 400, 40_000, 90, 7
TARGETS = {
    st.LeastSquares: lambda z, rng: z + 0.1 * rng.standard_normal(N),
    st.Huber: lambda z, rng: z + rng.standard_cauchy(N),
    st.Poisson: lambda z, rng: rng.poisson(np.exp(np.clip(z, -3, 3))),
    st.Logistic: lambda z, rng: z > rng.logistic(size=N),
    st.Softmax: lambda z, rng: np.digitize(z, [-1, 1]),
}


def data(loss, dtype=np.float64, index=np.int32, ordered=True, seed=0):
    """Rows with entries in some columns, of which one has explicit zeros alone; the columns; and targets."""
    rng = np.random.default_rng(seed)
    columns = np.sort(rng.choice(D, USED, replace=False))
    places = np.stack([rng.choice(USED, PER_ROW, replace=False) for _ in range(N)])
    if ordered:
        places.sort(axis=1)
    values = rng.standard_normal(places.shape)
    values[places == 3] = 0.0
    starts = np.arange(0, N * PER_ROW + 1, PER_ROW).astype(index)
    X = sparse.csr_array((values.ravel().astype(dtype), columns[places].ravel().astype(index), starts), shape=(N, D))
    y = TARGETS[loss](X @ rng.standard_normal(D), rng)
    return X, columns, y.astype(dtype)


def used(objective, w=None):
    w = np.zeros(objective.n_parameters, objective.dtype) if w is None else w
    return UsedColumns.of(objective, w, bytes_of_pairs(w.size, objective.dtype))


def among_all(w, columns, k, intercept):
    """Parameters of some columns among those of all, the others 0."""
    table = np.zeros((k, D + intercept))
    table[:, np.append(columns, D) if intercept else columns] = w.reshape(k, -1)
    return table.ravel()


def run(objective, **options):
    return st.minimize(objective, max_epochs=500, stop=st.stop.GradientNorm(1e-10), **options)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", TARGETS)
def test_the_minimum_is_that_of_the_other_columns(loss, intercept, l1_ratio):
    """By the same loss over a matrix that SciPy makes of the columns with entries alone."""
    X, columns, y = data(loss)
    options = {"alpha": 0.02, "l1_ratio": l1_ratio, "intercept": intercept}
    objective = loss(X, y, **options)
    assert used(objective).objective.n_features == USED
    found, alone = run(objective), run(loss(X[:, columns], y, **options))
    expected = among_all(alone.w, columns, objective.layout.n_scores, intercept)
    assert found.w.size == expected.size
    np.testing.assert_allclose(found.w.ravel(), expected, atol=1e-7)
    assert found.value == pytest.approx(alone.value, rel=1e-12)
    assert objective.value(found.w) == pytest.approx(found.value, rel=1e-12)
    assert not found.w.ravel()[expected == 0.0].any()


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("ordered", [False, True])
def test_whatever_the_arrays_are(dtype, index, ordered):
    X, columns, y = data(st.LeastSquares, np.float64, index, ordered)
    values = X.data.astype(dtype)
    wide = np.float64 if dtype == np.float64 else np.float32
    given = type("CSR", (), {"data": values, "indices": X.indices, "indptr": X.indptr, "shape": X.shape})()
    objective = st.LeastSquares(given, y.astype(wide), alpha=0.02)
    assert used(objective).objective.data.X.indices.dtype == np.int32
    dense = np.zeros((N, D))
    dense[np.repeat(np.arange(N), PER_ROW), X.indices] = values
    alone = run(st.LeastSquares(dense[:, columns], y.astype(wide).astype(np.float64), alpha=0.02))
    found = st.minimize(objective, max_epochs=200)
    np.testing.assert_allclose(found.w, among_all(alone.w, columns, 1, True), atol=1e-9 if wide == np.float64 else 2e-5)


def test_any_number_of_threads_gives_the_same_bits():
    X, _, y = data(st.Logistic, np.float32)
    found = []
    for threads in (1, 2, 3, 5):
        with st.threads(threads):
            found.append(st.minimize(st.Logistic(X, y, alpha=1e-3), max_epochs=30).w)
    assert len({w.tobytes() for w in found}) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_that_are_known_are_taken_along(dtype):
    X, columns, y = data(st.Logistic, dtype)
    known, fresh = st.Logistic(X, y), st.Logistic(X, y)
    known.column_statistics()
    for own, twin in zip(
        known.in_columns(columns).column_statistics(), fresh.in_columns(columns).column_statistics(), strict=True
    ):
        np.testing.assert_array_equal(own, twin)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_a_start_with_parameters_elsewhere_is_kept_right(alpha):
    """A column without entries has the slope alpha w: without a penalty it stays where it is, with one it goes to 0."""
    X, columns, y = data(st.LeastSquares)
    other = int(np.setdiff1d(np.arange(D), columns)[17])
    w0 = np.zeros(D + 1)
    w0[other] = 2.0
    objective = st.LeastSquares(X, y, alpha=alpha)
    assert used(objective, w0) is None
    found = run(objective, w0=w0)
    assert found.w[other] == pytest.approx(0.0 if alpha else 2.0, abs=1e-8)
    alone = run(st.LeastSquares(X[:, columns], y, alpha=alpha))
    np.testing.assert_allclose(X @ found.w[:D] + found.w[D], X[:, columns] @ alone.w[:-1] + alone.w[-1], atol=1e-7)


def test_a_start_among_them_is_taken():
    X, columns, y = data(st.Logistic)
    w0 = np.zeros(D + 1)
    w0[columns] = np.random.default_rng(5).standard_normal(USED)
    result = st.minimize(objective := st.Logistic(X, y, alpha=0.01), w0, max_epochs=0)
    assert used(objective, w0) is not None
    assert result.history["loss"][0] == pytest.approx(objective.value(w0), rel=1e-12)
    np.testing.assert_array_equal(result.w, w0)


@pytest.mark.parametrize("away", [0.0, 0.5])
def test_centred_and_scaled(away):
    """A column without entries whose centre is not 0 is a constant: it counts, and all columns are kept."""
    X, columns, y = data(st.LeastSquares)
    rng = np.random.default_rng(2)
    centre, scale = np.zeros(D), rng.uniform(0.5, 2.0, D)
    centre[columns] = 0.2 * rng.standard_normal(USED)
    other = int(np.setdiff1d(np.arange(D), columns)[0])
    centre[other] = away
    options = {"alpha": 0.02, "intercept": False}
    objective = st.LeastSquares(X, y, centre=centre, scale=scale, **options)
    assert (used(objective) is None) == (away != 0.0)
    kept = np.append(columns, other)
    dense = (X[:, kept].toarray() - centre[kept]) / scale[kept]
    found, alone = run(objective), run(st.LeastSquares(dense, y, **options))
    np.testing.assert_allclose(found.w, among_all(alone.w, kept, 1, False), atol=1e-8)


def test_paths_and_callbacks_have_all_parameters():
    X, _, y = data(st.Logistic)
    seen = []
    objective = st.Logistic(X, y, alpha=0.01)
    result = st.minimize(
        objective, max_epochs=4, record_path=True, callbacks=[lambda progress: seen.append(progress.w) and None]
    )
    assert len(seen) == len(result.path) == 5
    for w, step, loss in zip(seen, result.path, result.history["loss"], strict=True):
        np.testing.assert_array_equal(w, step)
        assert objective.value(w) == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(("left_out", "copied"), [(999, False), (1000, True)])
def test_indices_are_copied_only_where_that_saves_memory(left_out, copied):
    """New indices of 80,000 entries have 320,000 bytes; a column has 320 bytes in 20 pairs of vectors of float64."""
    indices = (np.arange(80_000) % (D - left_out)).astype(np.int32)
    X = sparse.csr_array((np.ones(80_000), indices, np.arange(0, 80_001, 40)), shape=(2000, D))
    assert (used(st.Logistic(X, np.arange(2000) % 2.0)) is not None) == copied


def test_the_pairs_of_very_many_parameters_are_few():
    """Twenty pairs of float64 take 320 bytes a parameter, up to 512 MiB; at least five are kept."""
    sizes = (100, 1_677_721, 3_355_443, 10_000_000, 100_000_000)
    assert [bytes_of_pairs(p, np.float64) for p in sizes] == [320, 320, 160, 80, 80]
    assert [bytes_of_pairs(p, np.float32) for p in sizes] == [160, 160, 160, 48, 40]


def test_rows_without_entries():
    X = sparse.csr_array((N, D))
    y = np.arange(N, dtype=np.float64)
    result = run(st.LeastSquares(X, y, alpha=0.1))
    assert result.w[D] == pytest.approx(y.mean())
    assert not result.w[:D].any()
