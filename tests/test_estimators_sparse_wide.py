"""Estimators of a wide, a huge or a wrong sparse X: nothing makes it dense or copies it, and errors name its faults."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse

import steepest as st
from sparse_tables import MADE, D, each_dtype, each_loss, problem

WIDE = 200_000


def refuse(*_arguments, **_options):
    raise AssertionError("X was made dense")


def wide(dtype=np.float64, per_row=30, n=2000):
    rng = np.random.default_rng(0)
    columns = np.minimum((WIDE * rng.random((n, per_row)) ** 3).astype(np.int32), WIDE - 1)
    indptr = np.arange(0, n * per_row + 1, per_row)
    X = sparse.csr_array((np.ones(n * per_row, dtype), columns.ravel(), indptr), shape=(n, WIDE))
    z = X @ rng.standard_normal(WIDE) / 5
    return X, {
        "least squares": z + rng.standard_normal(n),
        "huber": z + rng.standard_normal(n),
        "poisson": rng.poisson(np.exp(np.clip(z, -3, 3))).astype(float),
        "logistic": z > rng.logistic(size=n),
        "softmax": np.digitize(z, [-1, 1]),
    }


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"optimizer": "adam", "batch_size": 200, "max_iter": 2},
                                     {"early_stopping": True}], ids=str)  # fmt: skip
@each_loss
def test_a_wide_x_is_never_made_dense(loss, options, monkeypatch):
    """Dense, it would take 3.2 GB; eight models' parameters and what QuasiNewton remembers of them are allowed."""
    X, targets = wide()
    y = targets[loss]
    monkeypatch.setattr("steepest.arrays.sparse.CSRView.toarray", refuse)
    for kind in (sparse.csr_array, sparse.csr_matrix):
        monkeypatch.setattr(kind, "toarray", refuse)
    model = MADE[loss](alpha=0.1, random_state=0, **options)
    model.max_iter = min(model.max_iter, 3)
    model.tol = 1e-2
    k = 3 if loss == "softmax" else 1
    tracemalloc.start()
    try:
        model.fit(X, y)
        model.score(X, y)
        if loss == "logistic":
            model.predict_proba(X)
        if "optimizer" in options:
            model.partial_fit(X[:50], y[:50])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * k * WIDE * 8 + 10 * X.data.nbytes < X.shape[0] * WIDE * 8 / 10
    assert np.ravel(model.coef_).shape == (k * WIDE,)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"fit_intercept": False}], ids=str)
@pytest.mark.parametrize("n", [30_000, 80_000], ids=["little", "much"])
@pytest.mark.parametrize("loss", ["least squares", "poisson", "logistic", "softmax"])
def test_rows_are_made_dense_by_blocks_only(loss, n, options):
    """Of up to 4096 columns some are, to judge what a fit without a penalty found. All would be 0.5 and 1.3 GB."""
    rng = np.random.default_rng(0)
    d, per_row = 2000, 2
    columns = rng.integers(0, d, n * per_row).astype(np.int32)
    data = rng.choice([0.5, 1.0, 2.0], n * per_row).astype(np.float32)
    X = sparse.csr_array((data, columns, np.arange(0, n * per_row + 1, per_row)), shape=(n, d))
    z = X @ rng.standard_normal(d) / 2
    y = {
        "least squares": z + rng.standard_normal(n),
        "poisson": rng.poisson(np.exp(np.clip(z, -3, 3))).astype(float),
        "logistic": z > rng.logistic(size=n),
        "softmax": np.digitize(z, [-1, 1]),
    }[loss]
    model = MADE[loss](alpha=0.0, max_iter=5, **options)
    tracemalloc.start()
    try:
        model.fit(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**28 + 30 * 3 * d * 8


@each_dtype
def test_x_is_used_in_place(dtype, monkeypatch):
    X, targets = wide(dtype, n=4000)
    X.data[:] = 2.0
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    bound = []
    taken = st.objectives.losses.Logistic.__init__

    def init(self, data, *arguments, **options):
        bound.append(data)
        taken(self, data, *arguments, **options)

    monkeypatch.setattr(st.objectives.losses.Logistic, "__init__", init)
    st.LogisticClassifier(tol=0.1, standardize=True, alpha=0.1).fit(X, targets["logistic"].repeat(1)[: X.shape[0]])
    own = [data for data in bound if data.shape == X.shape]
    assert own
    for data in own:
        assert all(np.shares_memory(getattr(data, name), getattr(X, name)) for name in ("data", "indices", "indptr"))


# Errors


@pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number_is_named(make, value):
    X, y = problem("least squares", 100)
    y = (y > 0).astype(int)
    model = make().fit(X, y)
    bad = X.copy()
    row = int(np.flatnonzero(np.diff(X.indptr))[7])
    bad.data[X.indptr[row]] = value
    for call in (lambda: make().fit(bad, y), lambda: model.predict(bad.tocsc()), lambda: model.score(bad, y)):
        with pytest.raises(ValueError, match=f"got {value} in row {row} of column {X.indices[X.indptr[row]]}"):
            call()


def test_indices_that_are_no_columns():
    X, y = problem("least squares", 100)
    model = st.LinearRegressor().fit(X, y)
    for wrong in (-1, D, 2**30):
        bad = X.copy()
        bad.indices[3] = wrong
        for call in (lambda bad=bad: model.predict(bad), lambda bad=bad: st.LinearRegressor().fit(bad, y)):
            with pytest.raises(ValueError, match=rf"indices must be from 0 to {D - 1}, got {wrong}"):
                call()


def test_sparse_data_of_another_shape_or_kind():
    X, y = problem("least squares", 100)
    model = st.LinearRegressor().fit(X, y)
    with pytest.raises(ValueError, match="X has 5 features, but LinearRegressor is expecting 12"):
        model.predict(X[:, :5])
    with pytest.raises(ValueError, match="X_val and y_val must be like X and y: X has 5 features"):
        st.LinearRegressor().fit(X, y, X_val=X[:, :5], y_val=y)
    with pytest.raises(ValueError, match="Complex data not supported"):
        st.LinearRegressor().fit(X.astype(complex), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        st.LinearRegressor().fit(X, y[:-1])
    with pytest.raises(TypeError, match="y must be a dense array, got a sparse matrix"):
        st.LinearRegressor().fit(X, sparse.csr_array(y[:, None]))
    with pytest.raises(ValueError, match="X must be within float32"):
        st.LinearRegressor(warm_start=True).fit(X.astype(np.float32), y).partial_fit(X * 1e100, y)


# Columns far from zero, and in huge units


@each_dtype
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("d", [30, 9000])
def test_a_full_column_far_from_zero(dtype, standardize, d):
    """A year beside sparse columns. Its mean is 2,500 deviations away, so sums over it cost float32 three digits."""
    rng = np.random.default_rng(0)
    n = 3000
    year = 2013.0 + rng.integers(0, 3, n)
    rest = sparse.random_array((n, d), density=3 / d, rng=rng, data_sampler=lambda size: rng.choice([-1.0, 1.0], size))
    X = sparse.hstack([sparse.csr_array(year[:, None]), rest], format="csr").astype(dtype)
    y = (0.5 * (year - 2014) + rest @ np.sign(rng.standard_normal(d)) + rng.standard_normal(n)).astype(dtype)
    model = st.LinearRegressor(alpha=5.0, standardize=standardize).fit(X, y)
    near = X.toarray().astype(float)
    near[:, 0] -= 2014.0
    want = st.LinearRegressor(alpha=5.0, standardize=standardize).fit(near, y.astype(float))
    tolerance = {8: 1e-8, 4: 1e-4}[np.dtype(dtype).itemsize]
    np.testing.assert_allclose(model.coef_, want.coef_, atol=tolerance * np.abs(want.coef_).max())
    assert model.intercept_ == pytest.approx(want.intercept_ - 2014 * want.coef_[0], rel=10 * tolerance)


def test_a_column_too_far_from_zero_for_wide_data_is_named():
    X, targets = wide(n=300)
    far = sparse.hstack([X, 1.7e9 + np.arange(300.0)[:, None] % 7], format="csr")
    y = targets["least squares"]
    for call in (
        lambda: st.LinearRegressor().fit(far, y),
        lambda: st.LinearRegressor("adam", standardize=True).partial_fit(far, y),
    ):
        with pytest.raises(ValueError, match=f"X must have columns whose means .* in column {WIDE}; subtract the mean"):
            call()


def test_the_normal_equation_of_wide_data_is_refused():
    X, targets = wide(n=50)
    with pytest.raises(TypeError, match=r"use st\.minimize; of a sparse X, rows are taken up to 4,096 columns"):
        st.normal_equation(st.LeastSquares(X, targets["least squares"]))


@pytest.mark.parametrize("unit", [1e-150, 1e150])
@pytest.mark.parametrize("loss", ["least squares", "logistic"])
def test_columns_in_extreme_units(loss, unit):
    X, y = problem(loss, 9000)
    scaled = X.copy()
    scaled.data[X.indices == 4] *= unit
    want, found = (MADE[loss](standardize=True, alpha=0.01).fit(each, y).coef_.ravel() for each in (X, scaled))
    found = found.copy()
    found[4] *= unit
    np.testing.assert_allclose(found, want, rtol=1e-8, atol=1e-10)


def test_huge_numbers_in_rows_of_weight_zero_are_ignored():
    X, y = problem("least squares", 300)
    weight = np.ones(300)
    weight[[7, 9]] = 0.0
    bad = X.copy()
    bad.data[X.indptr[7] : X.indptr[8]] = 1e200
    own, want = (st.LinearRegressor().fit(each, y, sample_weight=weight) for each in (bad, X))
    np.testing.assert_allclose(own.coef_, want.coef_, rtol=1e-9)


def test_predictions_of_huge_numbers_have_the_right_sign():
    X, y = problem("logistic", 100)
    model = st.LogisticClassifier().fit(X[:, :3], y)
    model.coef_ = np.array([[8.0, -8.0, 0.0]])
    huge = sparse.csr_array(np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0]]) * (np.finfo(float).max / 2))
    assert list(model.predict(huge)) == ["yes", "no"]
    assert list(model.sparsify().predict(huge)) == ["yes", "no"]


# No minimum, by a single column of more than rows are searched


@pytest.mark.parametrize("d", [300, 3000, 6000])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("loss", ["poisson", "logistic", "softmax"])
@pytest.mark.parametrize("separates", [False, True])
def test_a_rare_column_leaves_no_minimum_without_a_penalty(loss, d, fit_intercept, separates):
    """A column that only rows of one class, or of no counts, have: its coefficient would grow for ever."""
    rng = np.random.default_rng(0)
    n, frequent = 6000, 20  # columns of which every one is in rows of each class
    columns, y = rng.integers(0, frequent, n).astype(np.int32), rng.integers(0, 3, n)
    rare = np.repeat(np.arange(10), 6)
    rows = rng.choice(n, len(rare), replace=False)
    y[rows] = 0 if separates else np.tile([0, 1, 2], 20)
    X = sparse.csr_array(
        (np.ones(n + len(rows)), (np.append(np.arange(n), rows), np.append(columns, frequent + rare))),
        shape=(n, d),
    )
    if loss == "logistic":
        y = y > 0
    model = MADE[loss](alpha=0.0, fit_intercept=fit_intercept, max_iter=40)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(X, y)
    texts = [str(warning.message) for warning in told]
    assert any("set alpha above 0" in text for text in texts) == separates, (texts, model.stop_reason_)
