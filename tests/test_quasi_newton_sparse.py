"""QuasiNewton on wide sparse data: how many passes a run takes, what it keeps in memory, and where it says it ended."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import LOSSES
from steepest.analysis.separability import separation
from steepest.arrays.norm import dot, norm_of
from steepest.quasi_newton.frequent import frequent_metric
from steepest.quasi_newton.lbfgs import LBFGSHistory
from steepest.quasi_newton.plan import SamplePlan
from steepest.quasi_newton.runner import QuasiNewtonRunner

sparse = pytest.importorskip("scipy.sparse")


def power_law(n, d, per_row, seed=0, dtype=np.float32, size=0.3):
    """A CSR array whose columns have frequencies of a power law, and labels of a true model."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(d).astype(np.int32)
    columns = order[(d * rng.random(n * per_row) ** 3).astype(np.int32)].reshape(n, per_row)
    columns.sort(axis=1)
    values = rng.standard_normal(n * per_row).astype(dtype)
    starts = np.arange(0, n * per_row + 1, per_row, dtype=np.int32)
    X = sparse.csr_array((values, columns.ravel(), starts), shape=(n, d))
    scores = X @ (size * rng.standard_normal(d))
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-scores))).astype(dtype)


@pytest.fixture
def passes(monkeypatch):
    """The values that runs find in their passes over all rows, in order."""
    found, evaluate = [], QuasiNewtonRunner._evaluate_all_rows

    def noted(self, w):
        iterate = evaluate(self, w)
        found.append(iterate.value)
        return iterate

    monkeypatch.setattr(QuasiNewtonRunner, "_evaluate_all_rows", noted)
    return found


def passes_to(values, share):
    """How many passes come within a share of the least value."""
    best = min(values)
    return next(i for i, value in enumerate(values, 1) if value - best <= share * best)


def test_power_law_columns_take_few_passes(passes):
    """A plain L-BFGS over columns divided by the roots of the Hessian's diagonal took 8 and 13 passes.

    It had ten times as many rows and columns. The penalty is ten times as strong here, so that it weighs the same.
    """
    X, y = power_law(50_000, 20_000, 40)
    result = st.minimize(st.Logistic(X, y, alpha=1e-4), stop=st.stop.GradientNorm(1e-7))
    assert result.converged
    assert passes_to(passes, 1e-3) <= 8
    assert passes_to(passes, 1e-6) <= 13


def one_hot(n, levels, n_columns, seed=0):
    """Ones: a level of each of some categorical columns a row, whose frequencies fall as those of words do."""
    rng = np.random.default_rng(seed)
    chances = 1.0 / (np.arange(levels) + 3.0)
    found = [rng.choice(levels, n, p=chances / chances.sum()) + levels * column for column in range(n_columns)]
    columns = np.stack(found, axis=1).astype(np.int32)
    starts = np.arange(0, columns.size + 1, n_columns, dtype=np.int32)
    X = sparse.csr_array((np.ones(columns.size, np.float32), columns.ravel(), starts), shape=(n, levels * n_columns))
    scores = X @ (0.5 * rng.standard_normal(levels * n_columns))
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(scores.mean() - scores))).astype(np.float32)


def test_rare_columns_of_up_to_4096_are_measured_in_all_rows(passes):
    """From 4,096 of the rows, which have few of some levels or none, it took 37 passes."""
    X, y = one_hot(100_000, 375, 8)
    st.minimize(st.Logistic(X, y, alpha=1e-6), stop=st.stop.GradientNorm(1e-5))
    assert passes_to(passes, 1e-3) <= 15


def nested(n, seed=0):
    """Ones of a category of 12 levels, and of one of 400 levels whose every level has one of the first."""
    rng = np.random.default_rng(seed)
    fine = (400 * rng.random(n) ** 2).astype(np.int32)
    columns = np.stack([rng.permutation(400)[fine] % 12, 12 + fine], axis=1).astype(np.int32)
    starts = np.arange(0, 2 * n + 1, 2, dtype=np.int32)
    X = sparse.csr_array((np.ones(2 * n, np.float32), columns.ravel(), starts), shape=(n, 5000))
    scores = 0.7 * rng.standard_normal(5000)[columns].sum(axis=1)
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-scores))).astype(np.float32)


def test_correlated_columns_get_a_block(passes, monkeypatch):
    X, y = nested(60_000)
    found = []
    for sizes in ((), (256, 1024)):
        passes.clear()
        monkeypatch.setattr("steepest.quasi_newton.plan._SIZES", sizes)
        result = st.minimize(st.Logistic(X, y, alpha=1e-4), stop=st.stop.GradientNorm(1e-6), max_epochs=300)
        found.append((result.value, len(passes)))
    (alone, many), (value, few) = found
    assert value == pytest.approx(alone, rel=1e-6)
    assert few <= 0.7 * many


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_block_of_all_rows_is_the_hessian(loss, intercept, scaled):
    """With all columns and rows and the Hessian's own diagonal: by the native Hessian of a dense copy."""
    rng = np.random.default_rng(3)
    n, d = 300, 12
    lengths = rng.integers(0, 9, n)  # with columns that come twice, and in no order
    X = sparse.csr_array(
        (rng.uniform(0.2, 1.0, lengths.sum()), rng.integers(0, d, lengths.sum()), np.append(0, np.cumsum(lengths))),
        shape=(n, d),
    )
    dense = np.zeros((n, d))
    np.add.at(dense, (np.repeat(np.arange(n), lengths), X.indices), X.data)
    y, weight = LOSSES[loss].targets(rng.standard_normal(n)), rng.uniform(0.0, 2.0, n)
    scaling = {"centre": rng.uniform(0, 1, d), "scale": rng.uniform(0.5, 2, d)} if scaled else {}
    options = {"sample_weight": weight, "intercept": intercept, "alpha": 0.1, **scaling}
    objective = LOSSES[loss].objective(X, y, **options)
    w, g = 0.1 * rng.standard_normal((2, objective.n_parameters))
    hessian = LOSSES[loss].objective(dense, y, **options).hessian(w)
    metric = frequent_metric(objective, w, np.diag(hessian).copy(), d, n, seed=0)
    np.testing.assert_allclose(metric.solve(g), np.linalg.solve(hessian, g), rtol=1e-4, atol=1e-6)


def test_uncorrelated_columns_get_no_block():
    X, y = power_law(20_000, 5_000, 40)
    objective = st.Logistic(X, y, alpha=1e-4)
    w = np.zeros(5_001, np.float32)
    assert frequent_metric(objective, w, np.ones(5_001), 256, 10_000, seed=0) is None


def test_blocks_cost_no_more_than_they_may_save():
    """The sizes rise, their costs too; nothing that is d wide is asked of a little pass."""
    plan = SamplePlan(300_000, 3_000, 3_001, 4, n_elements=2_400_000, has_entries=True)
    costs = [plan.cost_of_block(size) for size in plan.block_sizes]
    assert costs == sorted(costs)
    assert not plan.whole  # 30,000 rows of 3,000 columns would cost more than a thousand passes
    assert SamplePlan(300_000, 3_000, 3_001, 4, n_elements=2_400_000).block_sizes == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_units_of_wide_columns_change_nothing(dtype):
    """Columns times powers of two from 2^-40 to 2^40, which nobody looks at beyond 4,096 columns."""
    X, y = power_law(20_000, 6_000, 20, dtype=dtype)
    units = np.exp2(np.random.default_rng(0).integers(-40, 41, 6_000)).astype(dtype)
    other = X.copy()
    other.data = X.data * units[X.indices]
    found = [st.minimize(st.Logistic(each, y), max_epochs=40, diagnose=False) for each in (X, other)]
    assert found[1].value == pytest.approx(found[0].value, rel=1e-9)


def test_the_threads_of_blas_change_no_bit():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    X, y = power_law(5_000, 30_000, 20, dtype=np.float64)
    found = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            found.append(st.minimize(st.Logistic(X, y, alpha=1e-4), max_epochs=12, diagnose=False).w.tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_of_long_vectors(dtype):
    """Numbers 3 and 4 in turn have the norm 5 sqrt(n / 2); a power of two scales it exactly."""
    v = np.tile(np.array([3.0, -4.0], dtype), 50_001)
    assert norm_of(v) == pytest.approx(5.0 * np.sqrt(50_001), rel=1e-14)
    scale = dtype(2.0 ** (-120 if dtype is np.float32 else -900))  # whose squares underflow
    assert norm_of(v * scale) == norm_of(v) * float(scale)
    assert norm_of(np.zeros(100_000, dtype)) == 0.0
    v[70_000] = np.nan
    assert np.isnan(norm_of(v))
    v[70_000] = np.inf
    assert norm_of(v) == np.inf


def test_products_of_long_vectors():
    a, b = np.arange(30_000.0), np.ones(30_000)
    assert dot(a, b) == 29_999 * 30_000 / 2
    assert dot(a[:100], b[:100]) == 99 * 50


def few_columns(loss, dtype, n=4_000, d=6_000, seed=4):
    """Sparse rows with pairs of columns that are nearly the same, of which 25 columns make the targets."""
    rng = np.random.default_rng(seed)
    columns = (d // 2 * rng.random((n, 8)) ** 2).astype(np.int32)
    columns = np.concatenate([columns, columns[:, :4] + d // 2], axis=1)
    values = rng.standard_normal((n, 12))
    values[:, 8:] = values[:, :4] + 0.3 * values[:, 8:]
    starts = np.arange(0, 12 * n + 1, 12, dtype=np.int32)
    X = sparse.csr_array((values.ravel().astype(dtype), columns.ravel(), starts), shape=(n, d))
    w = np.zeros(d)
    w[:25] = rng.standard_normal(25) * 4.0
    scores = X @ w + 0.5 * rng.standard_normal(n)
    return X, (scores > 0.0 if loss is st.Logistic else scores).astype(dtype)


def subgradient(objective, X, y, w):
    """The smallest subgradient at w, by the formulas over X in float64."""
    w, d = w.astype(np.float64), X.shape[1]
    scores = X.astype(np.float64) @ w[:d] + w[d]
    slopes = 1.0 / (1.0 + np.exp(-scores)) - y if isinstance(objective, st.Logistic) else 2.0 * (scores - y)
    l1, l2 = objective.penalty.l1, objective.penalty.l2
    g = X.astype(np.float64).T @ slopes / len(y) + l2 * w[:d]
    shrunk = np.sign(g) * np.maximum(np.abs(g) - l1, 0.0)
    return np.linalg.norm(np.append(np.where(w[:d] == 0.0, shrunk, g + l1 * np.sign(w[:d])), slopes.mean()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ratio", [1.0, 0.6])
@pytest.mark.parametrize(("loss", "alpha"), [(st.Logistic, 3e-3), (st.LeastSquares, 3e-2)])
def test_l1_ends_at_a_minimum_by_few_passes(loss, alpha, ratio, dtype, passes, monkeypatch):
    X, y = few_columns(loss, dtype)
    objective, tol = loss(X, y, alpha=alpha, l1_ratio=ratio), 1e-5 if dtype == np.float32 else 1e-8
    result = st.minimize(objective, stop=st.stop.GradientNorm(tol), max_epochs=300)
    few = len(passes)
    assert result.converged
    assert subgradient(objective, X, y, result.w) <= 1.2 * tol
    passes.clear()
    monkeypatch.setattr("steepest.quasi_newton.blocks._MOST_ACTIVE", -1)
    alone = st.minimize(objective, stop=st.stop.GradientNorm(tol), max_epochs=300, diagnose=False)
    assert few <= 0.8 * len(passes)
    assert result.value <= alone.value * (1.0 + 1e-6)


@pytest.mark.parametrize("loss", [st.Logistic, st.LeastSquares])
def test_l1_finds_what_scikit_learn_finds(loss):
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = few_columns(loss, np.float64)
    n = len(y)
    if loss is st.Logistic:
        alpha = 3e-3
        peer = linear_model.LogisticRegression(
            l1_ratio=1.0, C=1.0 / (alpha * n), solver="saga", tol=1e-10, max_iter=3000
        ).fit(X, y)
    else:
        alpha = 3e-2  # of the mean of squares; scikit-learn takes half of that
        peer = linear_model.Lasso(alpha=alpha / 2.0, tol=1e-12, max_iter=10_000).fit(sparse.csr_matrix(X), y)
    result = st.minimize(loss(X, y, alpha=alpha, l1_ratio=1.0), stop=st.stop.GradientNorm(1e-9), max_epochs=300)
    np.testing.assert_allclose(result.w[:-1], peer.coef_.ravel(), atol=2e-5)
    assert 10 < np.count_nonzero(result.w[:-1]) < 1_000


def test_l1_with_too_many_active_columns_goes_by_orthants(monkeypatch):
    X, y = few_columns(st.Logistic, np.float64)
    objective = st.Logistic(X, y, alpha=3e-3, l1_ratio=1.0)
    wanted = st.minimize(objective, stop=st.stop.GradientNorm(1e-7), max_epochs=300)
    for most in (5, 20, 60):  # fewer than those of the minimum, than those on the way, and than those at the start
        monkeypatch.setattr("steepest.quasi_newton.blocks._MOST_ACTIVE", most)
        found = st.minimize(objective, stop=st.stop.GradientNorm(1e-7), max_epochs=300)
        assert found.converged
        np.testing.assert_allclose(found.w, wanted.w, atol=1e-4)


def with_indicator(rows, values=1.0, n=10_000, d=5_000):
    """A first column that some rows of the classes have, beside others with 40 entries each; and the labels."""
    rng = np.random.default_rng(2)
    y = (rng.random(n) < 0.4).astype(float)
    chosen = np.flatnonzero(rows(y))[:40]
    columns = rng.integers(1, d, (n, 20))
    entries = np.append(np.ones(columns.size), np.broadcast_to(values, 40))
    places = np.append(np.repeat(np.arange(n), 20), chosen), np.append(columns.ravel(), np.zeros(40, int))
    return sparse.csr_array(sparse.coo_array((entries, places), shape=(n, d))), y


@pytest.mark.parametrize(
    ("rows", "values", "separates"),
    [
        (lambda y: y == 1, 1.0, True),
        (lambda y: y == 0, 1.0, True),
        (lambda y: y == 0, -2.0, True),
        (lambda y: y >= 0, 1.0, False),
        (lambda y: y == 1, np.tile([1.0, -1.0], 20), False),
    ],
)
@pytest.mark.parametrize("loss", [st.Logistic, st.Softmax])
def test_an_indicator_of_one_class_leaves_no_minimum(loss, rows, values, separates):
    """Along its column the losses of its rows fall for ever, and no other loss changes."""
    X, y = with_indicator(rows, values)
    objective = loss(X, y)
    w = np.ones(objective.n_parameters)
    assert bool(separation(objective, w, 0.05)) == separates
    d = X.shape[1]
    centred = loss(X, y, intercept=False, centre=np.full(d, 0.1), scale=np.ones(d))
    assert not separation(centred, np.ones(centred.n_parameters), 0.05)  # the rows without it move too
    weight = np.ones(len(y))
    weight[X @ np.eye(1, X.shape[1])[0] != 0.0] = 0.0
    assert not separation(loss(X, y, sample_weight=weight), w, 0.05)


def test_separable_classes_of_wide_sparse_rows_are_told():
    X, y = with_indicator(lambda y: y == 1)
    with pytest.warns(st.DiagnosisWarning):
        result = st.minimize(st.Logistic(X, y), max_epochs=200)
    assert result.stop_reason == "separable"
    assert not result.converged


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 1e-3), (np.float64, 1e-6)])
def test_rare_columns_end_where_they_belong(dtype, error):
    """20 columns of four rows in 200,000 each, which begin at 0 where all others begin at the minimum."""
    n, n_rare = 200_000, 20
    X, y = power_law(n, 5_000, 10, dtype=np.float64, size=0.15)
    rows = np.random.default_rng(1).choice(n, (n_rare, 4), replace=False)
    y[rows[:, :3]], y[rows[:, 3]] = 1.0, 0.0
    own = sparse.csr_array((np.ones(4 * n_rare), (rows.ravel(), np.repeat(np.arange(n_rare), 4))), shape=(n, n_rare))
    X = sparse.csr_array(sparse.hstack([X, own]))
    exact = st.minimize(st.Logistic(X, y, alpha=1e-7), stop=st.stop.GradientNorm(1e-11), max_epochs=200).w
    start = exact.astype(dtype)
    start[5_000:-1] = 0.0
    objective = st.Logistic(X.astype(dtype), y.astype(dtype), alpha=1e-7)
    for w0 in (None, start):
        found = st.minimize(objective, w0, max_epochs=200)
        assert found.converged
        assert np.abs(exact[5_000:-1]).max() > 1.0
        np.testing.assert_allclose(found.w[5_000:-1], exact[5_000:-1], atol=error)


def test_the_pairs_of_a_large_problem_are_few(monkeypatch):
    """Two vectors of 5,001 float32 a pair: room for seven pairs keeps seven; five is the least number, 20 the most."""
    X, y = power_law(5_000, 5_000, 10)
    counts = []
    note = LBFGSHistory.note

    def counted(self, before, after):
        note(self, before, after)
        counts.append(len(self))

    monkeypatch.setattr(LBFGSHistory, "note", counted)
    for pairs, kept in ((7, 7), (2, 5), (100, 20)):
        monkeypatch.setattr("steepest.quasi_newton.lbfgs._BYTES", pairs * 2 * 4 * 5_001)
        counts.clear()
        st.minimize(st.Logistic(X, y, alpha=1e-7), max_epochs=40, diagnose=False)
        assert max(counts) == kept


@pytest.mark.parametrize("loss", ["least_squares", "logistic", "huber", "poisson"])
def test_active_columns_without_an_intercept(loss):
    """The conditions of the minimum: |g_j| <= l1 where w_j = 0, and g_j = -l1 sign(w_j) elsewhere."""
    rng = np.random.default_rng(0)
    n, levels = 3000, (1000, 400, 20)
    columns = np.column_stack(
        [start + rng.integers(0, size, n) for start, size in zip((0, 1000, 1400), levels, strict=True)]
    )
    X = sparse.csr_array((np.ones(3 * n), columns.ravel(), np.arange(0, 3 * n + 1, 3)), shape=(n, sum(levels)))
    y = LOSSES[loss].targets(X @ rng.standard_normal(sum(levels)) / 2)
    objective = LOSSES[loss].objective(X, y, alpha=1e-3, l1_ratio=0.8, intercept=False)
    result = st.minimize(objective)
    smooth = LOSSES[loss].objective(X, y, alpha=2e-4, intercept=False).gradient(result.w)
    away = np.where(result.w == 0, np.maximum(np.abs(smooth) - 8e-4, 0), smooth + 8e-4 * np.sign(result.w))
    assert result.converged
    assert np.abs(away).max() < 1e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slopes_lead_on_where_rounding_hides_the_values(dtype):
    """One-hot columns and three classes. Values alone end this run in float64 before the gradient is so small."""
    rng = np.random.default_rng(0)
    n, d = 3000, 1000
    shares = 1 / np.arange(1, d + 1)
    columns = rng.choice(d, n, p=shares / shares.sum())
    X = sparse.csr_array((np.ones(n, dtype), columns, np.arange(n + 1)), shape=(n, d))
    y = np.digitize((X @ rng.standard_normal(d)) + rng.standard_normal(n), [-0.5, 0.7]).astype(dtype)
    objective = st.Softmax(X, y, alpha=1 / n)
    first = np.linalg.norm(objective.gradient(np.zeros(objective.parameters_shape, dtype)))
    result = st.minimize(objective)
    exact = st.Softmax(X.astype(np.float64), y.astype(np.float64), alpha=1 / n)
    assert result.converged
    assert np.linalg.norm(exact.gradient(result.w.astype(np.float64))) < first * {4: 1e-6, 8: 2e-10}[y.itemsize]
