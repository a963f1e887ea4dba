"""The scaled gradient norm, by which estimators end fits of sparse rows: what it is, and how well rare columns fit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import steepest as st
from steepest.arrays.norm import norm_of
from steepest.quasi_newton.scaled import ScaledNorm, is_judged_scaled

sparse = pytest.importorskip("scipy.sparse")
pytest.importorskip("sklearn")

RARITIES = (2, 4, 8, 40, 400, 4000)  # rows of a column
N, N_COMMON = 60_000, 60


def random_rows(n, d, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return sparse.random_array((n, d), density=0.2, format="csr", rng=rng, dtype=dtype)


def norms_of_a_run(objective, **options):
    found = []
    st.minimize(objective, callbacks=[lambda p: found.append(p.scaled_gradient_norm) and None], **options)
    return found


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", [st.LeastSquares, st.Logistic, st.Softmax])
def test_it_is_the_gradient_over_the_roots_of_the_hessians_diagonal(loss, intercept, l1_ratio):
    """By the gradient and the Hessian of the dense copy, and by the subgradient's definition."""
    X = random_rows(200, 12)
    y = np.arange(200) % (3.0 if loss is st.Softmax else 2.0)
    options = {"alpha": 0.3, "l1_ratio": l1_ratio, "intercept": intercept}
    dense = loss(X.toarray(), y, **options)
    w = np.random.default_rng(1).standard_normal(dense.n_parameters)
    w[::3] = 0.0
    gradient = np.asarray(dense.gradient(w.reshape(dense.parameters_shape))).ravel()
    penalised = np.tile(np.append(np.ones(12), np.zeros(int(intercept))), dense.layout.n_scores)
    l1 = 0.3 * l1_ratio * penalised
    held = np.sign(gradient) * np.maximum(np.abs(gradient) - l1, 0.0)
    slope = np.where(w == 0.0, held, gradient + l1 * np.sign(w))
    at_zeros = dense.hessian(np.zeros(dense.parameters_shape))
    curvature = np.diag(np.reshape(at_zeros, (len(w), len(w))))
    if loss is st.Softmax:  # the diagonal of a row's Hessian in its scores is 2/9 at equal probabilities of 3 classes
        np.testing.assert_allclose(curvature[0], np.mean(X.toarray()[:, 0] ** 2) * 2 / 9 + 0.3 * (1 - l1_ratio))
    found = ScaledNorm(loss(X, y, **options)).of(w, gradient)
    assert found == pytest.approx(norm_of(slope / np.sqrt(curvature)), rel=1e-9)


def test_half_its_square_is_what_is_left_to_fall_where_columns_are_uncorrelated():
    """The levels of one category share no row: the Hessian of least squares is its diagonal, everywhere."""
    rng = np.random.default_rng(0)
    levels = (50 * rng.random(3000) ** 3).astype(np.int32)
    X = sparse.csr_array((rng.standard_normal(3000), levels, np.arange(3001)), shape=(3000, 50))
    objective = st.LeastSquares(X, rng.standard_normal(3000), alpha=0.01, intercept=False)
    least = st.minimize(objective, max_epochs=50).value
    w = rng.standard_normal(50)
    norm = ScaledNorm(objective).of(w, objective.gradient(w))
    assert norm**2 / 2 == pytest.approx(objective.value(w) - least, rel=1e-9)


def test_which_runs_have_it():
    X, y = random_rows(300, 20), np.arange(300) % 2.0
    codes = st.Table(st.Categorical(np.arange(300, dtype=np.int8) % 5, 5), X.toarray()[:, :1].copy())
    assert None not in norms_of_a_run(st.Logistic(X, y), max_epochs=3)
    assert None not in norms_of_a_run(st.Logistic(codes, y), max_epochs=3)
    for objective, optimizer in (
        (st.Logistic(X.toarray(), y), st.QuasiNewton()),
        (st.Logistic(X, y), st.GradientDescent(0.1)),
        (st.Logistic(X, y), st.Adam(0.1)),
    ):
        assert set(norms_of_a_run(objective, optimizer=optimizer, max_epochs=3)) == {None}


def test_columns_that_are_left_out_do_not_change_it():
    small = random_rows(300, 20)
    y = np.arange(300) % 2.0
    wide = sparse.csr_array((small.data, 2000 * small.indices, small.indptr), shape=(300, 40_000))
    own, twin = (norms_of_a_run(st.Logistic(X, y, alpha=0.1), max_epochs=6) for X in (small, wide))
    np.testing.assert_allclose(own, twin, rtol=1e-9)


def rows_with_rare_columns(seed=0, dtype=np.float32):
    """Each of 60 common columns in a tenth of the rows, and three columns of each rarity. All values are 1."""
    rng = np.random.default_rng(seed)
    common = np.nonzero(rng.random((N, N_COMMON)) < 0.1)
    rows, columns = [common[0]], [common[1]]
    for number, count in enumerate(3 * RARITIES):
        rows.append(rng.choice(N, count, replace=False))
        columns.append(np.full(count, N_COMMON + number))
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    X = sparse.csr_array((np.ones(len(rows), dtype), (rows, columns)), shape=(N, N_COMMON + 3 * len(RARITIES)))
    w = np.append(0.4 * rng.standard_normal(N_COMMON), 2.0 * np.sign(rng.standard_normal(3 * len(RARITIES))))
    return X, X @ w, rng


def errors(coefficients, exact):
    """The largest error of a common column, and of a rare one of each rarity."""
    wrong = np.abs(coefficients - exact).reshape(-1, N_COMMON + 3 * len(RARITIES))
    return wrong[:, :N_COMMON].max(), wrong[:, N_COMMON:].reshape(-1, 3, len(RARITIES)).max(axis=(0, 1))


MADE = {
    "logistic": (st.LogisticClassifier, lambda z, rng: (z > rng.logistic(size=N)).astype(int)),
    "softmax": (st.LogisticClassifier, lambda z, rng: np.digitize(z + rng.logistic(size=N), [-1.0, 1.0])),
    "poisson": (
        lambda **o: st.LinearRegressor(loss="poisson", alpha=1.0 / N, **o),
        lambda z, rng: rng.poisson(np.exp(z / 4)) * 1.0,
    ),
    "squares": (st.LinearRegressor, lambda z, rng: z + rng.standard_normal(N)),
}


@pytest.fixture(scope="module", params=MADE)
def rare(request):
    """A kind of model, the rows, the targets, and the coefficients at a tolerance of 1e-12 in float64."""
    make, targets = MADE[request.param]
    X, scores, rng = rows_with_rare_columns()
    y = targets(scores, rng)
    exact = make(tol=1e-12, max_iter=2000).fit(X.astype(np.float64), y)
    return make, X, y, exact.coef_


@pytest.mark.parametrize(("dtype", "tol", "bound"), [(np.float32, "auto", 1e-3), (np.float64, "auto", 1e-7),
                                                     (np.float64, 1e-4, 0.02)])  # fmt: skip
def test_rare_columns_are_fitted(rare, dtype, tol, bound):
    """Coefficients of about 2 are right to the bound, in 2 of 60,000 rows as in 4,000.

    In the scaled coordinates an error counts its size times the root of the column's curvature. That is at least the
    penalty's 1 / 60,000, so tol times the start's norm, about 1, over 0.004 bounds the errors of uncorrelated columns.
    """
    make, X, y, exact = rare
    model = make(tol=tol).fit(X.astype(dtype), y)
    assert model.converged_
    common, each = errors(model.coef_, exact)
    assert common <= bound
    assert each.max() <= bound


def test_the_plain_norm_does_not_tell_rare_columns():
    """The same tolerance of the plain norm, which rules of `stop` keep, leaves an error of several percent."""
    X, scores, rng = rows_with_rare_columns()
    y = (scores > rng.logistic(size=N)).astype(np.float32)
    exact = st.LogisticClassifier(tol=1e-12, max_iter=2000).fit(X.astype(np.float64), y.astype(int)).coef_
    objective = st.Logistic(X, y, alpha=1.0 / N)
    start = norm_of(objective.gradient(np.zeros(X.shape[1] + 1, np.float32)))
    result = st.minimize(objective, stop=st.stop.GradientNorm(1e-4 * start), max_epochs=100)
    assert result.stop_reason == "GradientNorm"
    plain = errors(result.w[:-1], exact)[1].max()
    scaled = errors(st.LogisticClassifier(tol=1e-4).fit(X, y.astype(int)).coef_, exact)[1].max()
    assert plain > 0.01
    assert scaled < 0.1 * plain


@pytest.mark.parametrize("loss", ["least_squares", "huber"])
def test_where_rounding_hides_it_a_fit_ends_by_precision(loss):
    """A tolerance that float32 cannot meet: the fit ends where no step lowers the loss, long before max_iter."""
    X = random_rows(2000, 3000, dtype=np.float32)
    y = X @ np.random.default_rng(3).standard_normal(3000) + np.random.default_rng(4).standard_normal(2000)
    model = st.LinearRegressor(loss=loss, tol=1e-13, max_iter=3000, alpha=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert model.stop_reason_ in ("precision", "GradientNorm")
    assert model.n_iter_ < 1000


@pytest.mark.parametrize("table", [False, True])
def test_a_warm_start_is_judged_from_zeros(table):
    """Refitted where it ended, a model takes a pass or two; its reference is not its own last norm."""
    rng = np.random.default_rng(0)
    if table:
        pandas = pytest.importorskip("pandas")
        X = pandas.DataFrame({"number": 1e4 + rng.standard_normal(2000), "level": rng.choice(list("abcdefgh"), 2000)})
        scores = X["number"].to_numpy() - 1e4 + (X["level"] == "c")
    else:
        X = random_rows(2000, 30)
        scores = X @ rng.standard_normal(30)
    y = (scores > rng.logistic(size=2000)).astype(int)
    model = st.LogisticClassifier(warm_start=True).fit(X, y)
    assert model.converged_
    taken = model.n_iter_
    model.fit(X, y)
    assert model.converged_
    assert model.n_iter_ <= 2 < taken


def test_callbacks_get_it_in_the_units_of_the_targets():
    X = random_rows(400, 30)
    y = X @ np.random.default_rng(0).standard_normal(30)
    found = []
    for size in (1.0, 1024.0):
        seen = []
        st.LinearRegressor(callbacks=[lambda p, seen=seen: seen.append(p.scaled_gradient_norm) and None]).fit(
            X, y * size
        )
        found.append(seen)
    np.testing.assert_allclose(np.multiply(found[0], 1024.0), found[1], rtol=1e-6, atol=1e-9)


def test_a_fit_that_is_not_done_tells_this_norm():
    X = random_rows(2000, 300)
    y = (X @ np.random.default_rng(0).standard_normal(300) > 0).astype(int)
    model = st.LogisticClassifier(max_iter=3)
    with pytest.warns(UserWarning, match="not converged"):
        model.fit(X, y)
    assert "scaled gradient norm" in str(model.diagnosis_)


def test_an_array_that_is_dense_is_judged_as_before():
    assert not is_judged_scaled(st.Logistic(np.ones((5, 2)), np.arange(5) % 2.0))
    assert not is_judged_scaled(st.Logistic(sparse.csr_array(np.ones((5, 2))), np.arange(5) % 2.0))
