"""Estimators of a sparse X: the coefficients of its dense copy, for every loss, setting and format."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import steepest as st
from linear_models import assert_same
from sparse_tables import MADE, D, N, each_dtype, each_loss, problem, taking_dtype


def little_and_much():
    """Cases of n, d, weighted, l1_ratio and standardize. Of much data, those that have all pairs are not slow."""
    for weighted, l1_ratio, standardize in itertools.product([False, True], [0.0, 0.5], [False, True]):
        chosen = weighted + (l1_ratio > 0.0) + standardize in (0, 2)
        options = weighted, l1_ratio, standardize
        yield pytest.param(N, D, *options, id="-".join(map(str, ("little", *options))))
        marks = () if chosen else pytest.mark.slow
        yield pytest.param(20_000, 20, *options, id="-".join(map(str, ("much", *options))), marks=marks)


FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]


@each_loss
@each_dtype
@pytest.mark.parametrize(("n", "d", "weighted", "l1_ratio", "standardize"), list(little_and_much()))
def test_coefficients_are_those_of_the_dense_copy(loss, dtype, standardize, l1_ratio, weighted, n, d):
    """With an L1 penalty, fits end where values tell no further, some 1e-9 of a coefficient from the minimum."""
    X, y = problem(loss, n, d)
    weight = np.random.default_rng(1).integers(0, 4, n).astype(dtype) if weighted else None
    X, y, single = X.astype(dtype), taking_dtype(y, dtype), dtype is np.float32
    tolerance = (1e-5 if single else 1e-9) if l1_ratio == 0 else (3e-5 if single else 1e-8)
    if single and loss == "softmax":
        tolerance = 3e-5  # the dense copy is added up in float32, and ends 2e-5 from the minimum
    model = MADE[loss](alpha=0.01, l1_ratio=l1_ratio, standardize=standardize, tol=1e-7 if single else 1e-11)
    own, twin = (clone(model).fit(each, y, sample_weight=weight) for each in (X, X.toarray()))
    assert own.stop_reason_ in ("GradientNorm", "precision")
    assert own.coef_.dtype == own.intercept_.dtype == dtype
    assert own.coef_.shape == twin.coef_.shape
    assert_same(own, twin, tolerance)
    np.testing.assert_array_equal(own.coef_ == 0, twin.coef_ == 0)
    scored = own.predict(X), own.predict(X.toarray())
    if loss in ("logistic", "softmax"):
        scored = own.predict_proba(X), own.predict_proba(X.toarray())
        np.testing.assert_array_equal(own.predict(X), own.predict(X.toarray()))
        np.testing.assert_allclose(own.decision_function(X), own.decision_function(X.toarray()), atol=tolerance)
    np.testing.assert_allclose(*scored, rtol=tolerance, atol=tolerance)
    assert own.score(X, y) == pytest.approx(own.score(X.toarray(), y), abs=1e-6)


@each_dtype
@pytest.mark.parametrize("options", [{}, {"alpha": 0.1}, {"fit_intercept": False}], ids=str)
@pytest.mark.parametrize("n", [40, N])
def test_least_squares_solved_directly(dtype, options, n):
    """Little data are solved by QR, and more by one step of Newton's method. NumPy's least squares is the reference."""
    X, y = problem("least squares", n)
    X = X[:, [0, 1, 3, 4, 5]].astype(dtype)
    model = st.LinearRegressor(**options).fit(X, y.astype(dtype))
    assert model.n_iter_ <= 2
    A, rhs = X.toarray().astype(float), y.astype(dtype).astype(float)
    if model.fit_intercept:
        A, rhs = A - A.mean(axis=0), rhs - rhs.mean()
    rows = np.vstack([A, np.sqrt(model.alpha * n / 2) * np.eye(5)])
    want = np.linalg.lstsq(rows, np.append(rhs, np.zeros(5)), rcond=None)[0]
    np.testing.assert_allclose(model.coef_, want, rtol={8: 1e-9, 4: 1e-5}[np.dtype(dtype).itemsize])


def test_the_normal_equation_of_sparse_rows():
    X, y = problem("least squares", 4000, 90)
    X = X[:, np.arange(90) != 2]
    dense = X.toarray()
    weight = np.random.default_rng(1).random(4000)
    for columns in (slice(0, 20), slice(None)):
        own, twin = (
            st.normal_equation(st.LeastSquares(each, y, sample_weight=weight, alpha=0.01))
            for each in (X[:, columns], np.ascontiguousarray(dense[:, columns]))
        )
        assert isinstance(own.w, np.ndarray)
        assert (own.method, own.rank) == (twin.method, twin.rank)
        np.testing.assert_allclose(own.w, twin.w, rtol=1e-11)
    with pytest.warns(st.RankWarning, match="Undetermined: columns 3, 20 of X"):
        st.normal_equation(st.LeastSquares(sparse.csr_array(dense[:, [*range(20), 3]][:, [*range(20), 20]]), y))


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_format_of_scipy(form, kind):
    X, y = problem("logistic", 200)
    made = getattr(sparse, f"{form}_{kind}")(X)
    want = st.LogisticClassifier().fit(X, y)
    model = st.LogisticClassifier().fit(made, y)
    np.testing.assert_array_equal(model.coef_, want.coef_)
    np.testing.assert_array_equal(model.predict_proba(made), want.predict_proba(X))
    assert model.score(made, y) == want.score(X, y)
    assert type(model.decision_function(made)) is np.ndarray


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool])
def test_other_numbers_become_float64(dtype):
    X, y = problem("least squares", 300)
    X.data = np.ones_like(X.data)
    model = st.LinearRegressor().fit(X.astype(dtype), y)
    assert model.coef_.dtype == np.float64
    np.testing.assert_array_equal(model.coef_, st.LinearRegressor().fit(X, y).coef_)
    np.testing.assert_array_equal(model.predict(X.astype(dtype)), model.predict(X))


def test_long_indices_duplicates_and_room_to_spare():
    X, y = problem("least squares", 300)
    want = st.LinearRegressor().fit(X, y)
    long = X.copy()
    long.indices, long.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    half = sparse.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    spare = sparse.csr_array((X.data, X.indices, X.indptr), shape=X.shape)
    spare.data, spare.indices = np.append(X.data, [5.0, 7.0]), np.append(X.indices, [999, -3]).astype(np.int32)
    for each in (long, half, spare):
        model = st.LinearRegressor().fit(each, y)
        np.testing.assert_allclose(model.coef_, want.coef_, rtol=1e-12)
        np.testing.assert_allclose(model.predict(each), want.predict(X), rtol=1e-12)


def test_a_frame_of_sparse_columns():
    X, y = problem("least squares", 300)
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X), columns=[f"word {j}" for j in range(D)])
    model = st.LinearRegressor().fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    assert model.n_features_in_ == D
    np.testing.assert_allclose(model.coef_, st.LinearRegressor().fit(X, y).coef_, rtol=1e-12)
    np.testing.assert_allclose(model.predict(frame), model.predict(frame.sparse.to_dense()), rtol=1e-12)


@pytest.mark.parametrize("loss", ["least squares", "logistic", "softmax"])
@pytest.mark.parametrize("standardize", [False, True])
def test_rows_that_come_in_parts(loss, standardize):
    X, y = problem(loss)
    own, twin = (MADE[loss](optimizer="adagrad", standardize=standardize, random_state=0) for _ in range(2))
    first = {} if loss == "least squares" else {"classes": np.unique(y)}
    for start in range(0, N, 300):
        rows = slice(start, start + 300)
        own.partial_fit(X[rows], y[rows], **first)
        twin.partial_fit(X[rows].toarray(), y[rows], **first)
    assert_same(own, twin, 1e-9)
    dtype = own.partial_fit(X.astype(np.float32), y).coef_.dtype
    assert dtype == np.float64


@each_loss
def test_mini_batches(loss):
    X, y = problem(loss, 400)
    model = MADE[loss](optimizer="adam", batch_size=32, max_iter=5, random_state=0, alpha=1e-3)
    assert_same(clone(model).fit(X, y), clone(model).fit(X.toarray(), y), 1e-9)


@each_loss
def test_early_stopping_holds_out_the_same_rows(loss):
    X, y = problem(loss)
    model = MADE[loss](optimizer="adam", batch_size=64, max_iter=40, early_stopping=True, random_state=0)
    own, twin = (clone(model).fit(each, y) for each in (X, X.toarray()))
    np.testing.assert_allclose(own.history_["validation_loss"], twin.history_["validation_loss"], rtol=1e-9)
    assert_same(own, twin, 1e-8)


def test_a_validation_set():
    X, y = problem("logistic")
    model = st.LogisticClassifier("adam", batch_size=64, max_iter=10, random_state=0)
    own = clone(model).fit(X[:1000], y[:1000], X_val=X[1000:].tocsc(), y_val=y[1000:])
    twin = clone(model).fit(X[:1000].toarray(), y[:1000], X_val=X[1000:].toarray(), y_val=y[1000:])
    np.testing.assert_allclose(own.history_["validation_loss"], twin.history_["validation_loss"], rtol=1e-9)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.5, 2: 1.0}, {0: 0.0, 1: 1.0, 2: 1.0}], ids=str)
def test_class_weights(class_weight):
    X, y = problem("softmax")
    model = st.LogisticClassifier(class_weight=class_weight, alpha=0.01)
    assert_same(clone(model).fit(X, y), clone(model).fit(X.toarray(), y), 1e-8)


def test_warm_starts_go_on_from_sparse_coefficients_too():
    X, y = problem("softmax")
    model = st.LogisticClassifier(alpha=0.01, warm_start=True).fit(X, y)
    cold = model.n_iter_
    want = model.coef_.copy()
    for each in (model, model.sparsify()):
        assert each.fit(X, y).n_iter_ < cold
        assert type(model.coef_) is np.ndarray
        np.testing.assert_allclose(model.coef_, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", ["least squares", "softmax"])
def test_a_model_with_sparse_coefficients_is_saved(loss, tmp_path):
    X, y = problem(loss)
    model = MADE[loss](alpha=0.05, l1_ratio=1.0).fit(X, y)
    want = model.coef_.copy()
    st.save_model(model.sparsify(), tmp_path / "model.json")
    np.testing.assert_array_equal(st.load_model(tmp_path / "model.json")[-1].coef_, want)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each_loss
def test_sparse_coefficients(loss):
    X, y = problem(loss)
    model = MADE[loss](alpha=0.05, l1_ratio=1.0)
    for call in (model.sparsify, model.densify):
        with pytest.raises(NotFittedError):
            call()
    model.fit(X, y)
    dense, shape = model.coef_.copy(), model.coef_.shape
    predicted = model.predict(X)
    assert model.sparsify() is model.sparsify() is model
    assert isinstance(model.coef_, sparse.csr_matrix)
    assert model.coef_.nnz == np.count_nonzero(dense) < dense.size
    for each in (X, X.toarray(), X.tocsc()):
        found = pickle.loads(pickle.dumps(model)).predict(each)
        assert (type(found), found.shape) == (np.ndarray, (N,))
        np.testing.assert_array_equal(found == predicted, True) if predicted.dtype.kind != "f" else (
            np.testing.assert_allclose(found, predicted, rtol=1e-12, atol=1e-12)
        )
    assert model.densify() is model.densify() is model
    assert model.coef_.shape == shape
    np.testing.assert_array_equal(model.coef_, dense)
    online = MADE[loss](optimizer="adam", max_iter=1).fit(X, y).sparsify()
    assert type(online.partial_fit(X, y).coef_) is np.ndarray


@pytest.mark.parametrize("index", [-1, 400, 1_000_000])
@pytest.mark.parametrize("form", ["csc", "bsr"])
def test_indices_that_scipy_would_follow_out_of_its_arrays_are_refused(form, index):
    X, y = problem("least squares", 400, 60)
    model = st.LinearRegressor(alpha=0.1).fit(X, y)
    wrong = X.asformat(form)
    wrong.indices = wrong.indices.copy()
    wrong.indices[5] = index
    for call in (lambda: model.predict(wrong), lambda: clone(model).fit(wrong, y)):
        with pytest.raises(ValueError, match=rf"X must have indices that fit its shape, in {form} format: "):
            call()
