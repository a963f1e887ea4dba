"""Runs by working sets that are broken off, and the native work on copied columns."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from checkpoints import assert_same_result, resumed
from steepest import _core
from steepest.working_sets import solver
from steepest.working_sets.solver import WorkingSetSolver
from storages import arithmetic
from wide import LOSSES, objective_of, problem

sparse = pytest.importorskip("scipy.sparse")


@pytest.mark.parametrize("loss", ["least_squares", "logistic", "softmax"])
@pytest.mark.parametrize("epochs", [[1], [2, 3]])
def test_a_run_that_is_broken_off_has_the_same_bits(tmp_path, loss, epochs, monkeypatch):
    monkeypatch.setattr(solver, "_FIRST", 16)  # columns of the first working set, so that several follow
    X, y, _ = problem(loss, 40, 700, 1, true=30)

    def make():
        return (objective_of(loss, X, y, alpha=0.01, l1_ratio=1.0), None, st.QuasiNewton()), {}

    arguments, own = make()
    expected = st.minimize(*arguments, **own)
    found = resumed(make, tmp_path / "run", epochs)
    assert expected.n_epochs > max(epochs)
    assert_same_result(found, expected)
    assert found.duality_gap == expected.duality_gap


@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_goes_on_after_each_epoch_has_the_same_bits(tmp_path, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 200))
    objective = st.LeastSquares(X, X[:, 0] + rng.standard_normal(30), alpha=0.05, l1_ratio=1.0)
    expected = st.minimize(objective)
    for epochs in range(1, expected.n_epochs + 1):
        found = st.minimize(objective, checkpoint=tmp_path / "run", checkpoint_seconds=0, max_epochs=epochs)
    assert_same_result(found, expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("storage", sorted(_core.storages))
def test_copies_of_columns(storage, order):
    from steepest.arrays.device import numpy_dtype

    random = np.random.default_rng(0)
    numbers = (
        random.integers(-3, 4, (150, 37))
        if "int" in storage and storage[0] != "u"
        else random.integers(0, 4, (150, 37))
    )
    if storage == "bfloat16":
        pytest.importorskip("ml_dtypes")
        import ml_dtypes

        X = numbers.astype(ml_dtypes.bfloat16)
    else:
        X = numbers.astype(numpy_dtype(storage))
    X = np.asarray(X, order=order)
    weight = random.integers(0, 2, 150).astype(arithmetic(storage))
    y = np.zeros(150, arithmetic(storage))
    objective = st.LeastSquares(X, y, sample_weight=weight)
    columns, out = np.array([36, 0, 5, 17], np.uint32), np.full((4, 150), np.nan)
    objective.data.copy_columns(columns, out)
    np.testing.assert_array_equal(out, (numbers[:, columns] * (weight > 0)[:, None]).T)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_copies_of_sparse_columns(index):
    """Entries of the same row and column add up."""
    X = sparse.csr_array(
        (np.array([1.0, 2.0, 4.0, 8.0]), np.array([2, 0, 2, 1], index), np.array([0, 3, 3, 4], index)), shape=(3, 4)
    )
    objective, out = st.LeastSquares(X, np.zeros(3)), np.empty((2, 3))
    objective.data.copy_columns(np.array([2, 1], np.uint32), out)
    np.testing.assert_array_equal(out, [[5.0, 0.0, 0.0], [0.0, 0.0, 8.0]])


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", [1, 7, 8, 33, 1025])
def test_products_of_columns(n):
    random = np.random.default_rng(n)
    block, h, q = random.normal(size=(45, n)), random.random(n), random.normal(size=n)
    which = random.permutation(45)[:41].astype(np.uint32)
    some = block[which]
    np.testing.assert_allclose(_core.column_dots(block, which, q), some @ q, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(_core.column_products(block, which), some @ some.T, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(
        _core.column_products(block, which, None, h), (some * h) @ some.T, rtol=1e-12, atol=1e-11
    )
    others = np.array([3, 1, 44], np.uint32)
    np.testing.assert_allclose(
        _core.column_products(block, which, others, h), (some * h) @ block[others].T, rtol=1e-12, atol=1e-11
    )
    z, v = q.copy(), random.normal(size=41)
    _core.add_columns(block, which, v, z)
    np.testing.assert_allclose(z, q + v @ some, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("constant", [False, True])
def test_descent_along_columns(constant):
    """The minimum of a model has its conditions: slopes balance the penalty, or a bound holds the coefficient."""
    random = np.random.default_rng(0)
    n, m = 61, 12
    block, h = random.normal(size=(m, n)), np.full(n, 0.5) if constant else random.random(n)
    slopes, v = random.normal(size=n), np.zeros(m)
    mean = block @ h / h.sum()
    apart = block - mean[:, None]
    slopes -= h * slopes.sum() / h.sum()
    l1, l2, lower = np.full(m, 2.0), np.full(m, 0.3), np.where(np.arange(m) < 6, 0.0, -np.inf)
    model = {"mean": mean, "curvature": apart**2 @ h + l2, "l1": l1, "l2": l2, "lower": lower}
    q = slopes.copy()
    given = 0.5 if constant else h
    assert _core.descend_columns(block, np.arange(m, dtype=np.uint32), given, model, v, q, 5000, 1e-14)
    np.testing.assert_allclose(q, slopes + h * (v @ apart), atol=1e-12)
    gradient = block @ q + l2 * v
    free = v != 0.0
    assert 0 < free.sum() < m
    np.testing.assert_allclose(gradient[free], -l1[free] * np.sign(v[free]), atol=1e-10)
    assert (gradient[~free] >= -l1[~free] - 1e-10).all()
    assert (gradient[~free & ~np.isfinite(lower).astype(bool)] <= l1[0] + 1e-10).all()
    assert (v[:6] >= 0.0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_terms_of_rows(loss):
    """Slopes and curvatures are the derivatives of the values; the young residual is that of the conjugate."""
    random = np.random.default_rng(0)
    X, y, _ = problem(loss, 30, 2, 0)
    objective = objective_of(loss, X, y)
    k = objective.layout.n_scores
    z, step = random.normal(size=(k, 30)), 1e-6
    terms = objective.row_terms(z, y)
    for c in range(k):
        up, down = z.copy(), z.copy()
        up[c] += step
        down[c] -= step
        above, below = objective.row_terms(up, y), objective.row_terms(down, y)
        np.testing.assert_allclose((above.values - below.values) / (2 * step), terms.slopes[c], atol=1e-7)
        bent = (above.slopes[c] - below.slopes[c]) / (2 * step)
        np.testing.assert_allclose(bent[bent != 1.0], terms.curvatures[c][bent != 1.0], atol=1e-4)
    for share in (0.3, 0.9, 1.0):
        found = objective.young_residuals(terms, y, share)
        assert (found >= -1e-14).all()
        # loss*(u) = max over z of u z - loss(z), found by a search along the line and, for classes, over scores.
        conjugate = most_of(objective, share * terms.slopes, y)
        expected = terms.values + conjugate - share * (terms.slopes * z).sum(axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def most_of(objective, u, y):
    """The largest u z - loss(z) of each row, by Newton's steps with a little damping from several starts."""
    z = np.zeros_like(u)
    for _ in range(3000):
        terms = objective.row_terms(z, y)
        z += 0.3 * (u - terms.slopes) / np.maximum(terms.curvatures, 0.1)
    return (u * z).sum(axis=0) - objective.row_terms(z, y).values


def test_errors_of_the_bindings():
    block, which = np.zeros((3, 5)), np.arange(3, dtype=np.uint32)
    with pytest.raises(ValueError, match="which must be numbers below 3"):
        _core.column_dots(block, np.array([3], np.uint32), np.zeros(5))
    with pytest.raises(TypeError, match="which must be an array of uint32"):
        _core.column_dots(block, np.array([1]), np.zeros(5))
    with pytest.raises(ValueError, match="q must be a contiguous float64 array"):
        _core.column_dots(block, which, np.zeros(4))
    X = np.ones((5, 2))
    with pytest.raises(ValueError, match="out must be a contiguous float64 array of shape \\(1, 5\\)"):
        _core.copy_columns(X, None, which[:1], np.zeros((2, 5)))
    with pytest.raises(ValueError, match="columns must be numbers below 2"):
        _core.copy_columns(X, None, which, np.zeros((3, 5)))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("storage", ["float64", "float32", "float16", "int8"])
@pytest.mark.parametrize("shape", [(1, 1), (70, 5), (130, 1030)])
def test_sums_of_rows(storage, order, shape):
    """Rows of weight 0 are left out, whatever they hold."""
    random = np.random.default_rng(0)
    X = np.asarray(random.integers(-3, 4, shape).astype(storage), order=order)
    weight = np.ones(shape[0], arithmetic(storage))
    weight[1::3] = 0.0
    r = random.normal(size=(3, shape[0]))
    expected = (r * (weight > 0)) @ X.astype(np.float64)
    if "float" in storage:
        X[1::3] = np.nan
    np.testing.assert_allclose(_core.combine_rows(X, weight, r), expected, rtol=1e-12, atol=1e-11)
    if "float" not in storage:
        np.testing.assert_allclose(_core.combine_rows(X, None, r), r @ X.astype(np.float64), atol=1e-11)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", [1, 7, 8, 33, 1025])
def test_squares_and_centres_of_columns(n):
    random = np.random.default_rng(n)
    block, h = random.normal(size=(45, n)), random.random(n)
    which = random.permutation(45)[:41].astype(np.uint32)
    np.testing.assert_allclose(_core.column_squares(block, which, h), block[which] ** 2 @ h, rtol=1e-12, atol=1e-12)
    share, moved = h / h.sum(), block.copy()
    means = _core.centre_columns(moved, share)
    np.testing.assert_allclose(means, block @ share, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(moved, block - means[:, None])


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("n", [61, 2500])
def test_descent_along_narrow_columns(constant, n):
    """The slopes stay those of the coefficients, and these come as near to the minimum as float32 allows."""
    random = np.random.default_rng(0)
    block, h = random.normal(size=(12, n)), np.full(n, 1.0 / n) if constant else random.random(n) / n
    mean = block @ h / h.sum()
    apart = block - mean[:, None]
    slopes = h * random.normal(size=n)
    l1 = np.full(12, 0.3 * np.abs(apart @ slopes).max())
    model = {"mean": mean, "curvature": apart**2 @ h, "l1": l1, "l2": np.zeros(12), "lower": np.full(12, -np.inf)}
    model["lower"][:3] = 0.0
    which = np.arange(12, dtype=np.uint32)
    exact, q = np.zeros(12), slopes.copy()
    assert _core.descend_columns(block, which, float(h[0]) if constant else h, model, exact, q, 500, 1e-12)
    v, narrow = np.zeros(12), slopes.astype(np.float32)
    own = float(h[0]) if constant else h.astype(np.float32)
    assert _core.descend_narrow_columns(block.astype(np.float32), which, own, model, v, narrow, 500, 1e-5)
    assert 0 < np.count_nonzero(exact) < 12
    np.testing.assert_allclose(v, exact, atol=1e-4 * np.abs(exact).max())
    np.testing.assert_allclose(narrow, slopes + h * (v @ apart), atol=1e-5 * np.abs(slopes).max())


def test_numbers_beyond_float32_take_no_narrow_columns():
    X, y, _ = problem("least_squares", 100, 900, 3, true=60)
    near = WorkingSetSolver(objective_of("least_squares", X, y, alpha=0.02, l1_ratio=1.0)).solve(None, 1e-9)
    for unit in (1e-30, 1e30):
        far = objective_of("least_squares", X * unit, y, alpha=0.02 * unit, l1_ratio=1.0)
        solved = WorkingSetSolver(far).solve(None, 1e-9)
        assert solved.converged
        np.testing.assert_allclose(solved.w[:-1] * unit, near.w[:-1], atol=1e-6)
