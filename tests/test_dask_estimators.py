"""Estimators over Dask collections: the fit of the same parts in memory, and lazy predictions."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("steepest.estimators.predictions")
distributed = pytest.importorskip("distributed")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")
sp = pytest.importorskip("scipy.sparse")
ConvergenceWarning = pytest.importorskip("sklearn.exceptions").ConvergenceWarning

import steepest.dask as sd  # noqa: E402
from dask_cases import (  # noqa: E402
    SIZES,
    D,
    a_cluster,
    da,
    in_memory,
    killing,
    on_dask,
    pairs,
    rows,
)
from steepest.estimators import LinearRegressor, LinearRegressorCV, LogisticClassifier  # noqa: E402

WORDS = np.array(["no", "perhaps", "yes"])


def codes():
    return rows("Softmax")[1].astype(int)


def same(model, memory):
    assert model.coef_.tobytes() == memory.coef_.tobytes()
    assert model.intercept_.tobytes() == memory.intercept_.tobytes()
    assert model.n_iter_ == memory.n_iter_


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (LogisticClassifier(alpha=0.01), codes() > 0),
        (LogisticClassifier(alpha=0.01), codes() * 3),
        (LogisticClassifier(alpha=0.01), WORDS[codes()]),
        (LogisticClassifier(alpha=0.01, class_weight="balanced"), WORDS[codes()].astype(object)),
        (LinearRegressor(alpha=0.01), rows("LeastSquares")[1]),
        (LinearRegressor(alpha=0.01, standardize=True, early_stopping=True, random_state=0), rows("LeastSquares")[1]),
    ],
    ids=["bool", "int", "text", "objects", "numbers", "early stopping"],
)
def test_a_fit_is_that_of_the_parts_in_memory(dask_client, model, y):
    X, weight = rows("Softmax")[0], rows("Softmax")[2]
    numbers = np.unique(y, return_inverse=True)[1] if y.dtype.kind in "UO" else y
    memory = copy.deepcopy(model).fit(in_memory(X, numbers.astype(float), weight))
    dX, dy, dweight = on_dask(X, y, weight)
    assert model.fit(dX, dy, dweight) is model
    same(model, memory)
    if y.dtype.kind not in "f":
        assert model.classes_.dtype == y.dtype
        np.testing.assert_array_equal(model.classes_, np.unique(y))
    same(sd.fit(dask_client, copy.deepcopy(model), dX, y, weight), memory)


@pytest.mark.slow
def test_predictions_are_lazy_and_those_of_arrays(dask_client):
    X, y, _ = rows("Logistic")
    dX = on_dask(X, y, y)[0]
    model = LogisticClassifier(alpha=0.01).fit(dX, y > 0)
    for method, shape in (
        ("predict", (len(X),)),
        ("decision_function", (len(X),)),
        ("predict_proba", (len(X), 2)),
        ("predict_log_proba", (len(X), 2)),
    ):
        expected = getattr(model, method)(X)
        for given in (dX, dX.rechunk((None, 2)), dX.map_blocks(sp.csr_array)):
            found = getattr(model, method)(given)
            assert isinstance(found, da.Array)
            assert (found.shape, found.dtype) == (shape, expected.dtype)
            np.testing.assert_allclose(found.compute().astype(float), expected.astype(float), rtol=1e-12)
        np.testing.assert_array_equal(getattr(model, method)(dX).compute(), expected)
    lazy, before = model.predict(dX), model.predict(X)
    model.fit(X, y == 0)
    np.testing.assert_array_equal(lazy.compute(), before)
    assert model.score(dX, da.from_array(y == 0, chunks=(SIZES,))) == model.score(X, y == 0)
    few = dX[da.from_array(np.arange(len(X)) > 50, chunks=(SIZES,))]
    np.testing.assert_array_equal(model.predict(few).compute(), model.predict(X[51:]))


def test_data_frames_keep_their_names_and_their_index(dask_client):
    X, *_ = rows("Logistic")
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X)) + 7)
    lazy = dd.from_map(lambda cut: frame.iloc[slice(*cut)], list(pairs()))
    labels = dd.from_map(lambda cut: pd.Series(WORDS[codes()[slice(*cut)] // 2 * 2]), list(pairs()))
    model = LogisticClassifier(alpha=0.01).fit(lazy, labels)
    assert list(model.feature_names_in_) == list("abcde")
    assert list(model.classes_) == ["no", "yes"]
    found = model.predict(lazy)
    assert isinstance(found, dd.Series)
    pd.testing.assert_series_equal(found.compute(), pd.Series(model.predict(frame), frame.index), check_dtype=False)
    table = model.predict_proba(lazy).compute()
    # A frame that was sent may lie otherwise in memory, which BLAS adds in another order.
    np.testing.assert_allclose(table.to_numpy(), model.predict_proba(frame), rtol=1e-12)
    assert table.index.equals(frame.index)


def test_a_validation_set_may_be_of_dask_or_in_memory(dask_client):
    X, y, weight = rows("LeastSquares")
    dX, dy, dweight = on_dask(X, y, weight)
    first, second = (
        LinearRegressor(alpha=0.01, early_stopping=True).fit(dX, dy, dweight, *held)
        for held in ((dX[:100], dy[:100]), (X[:100], y[:100]))
    )
    np.testing.assert_allclose(first.coef_, second.coef_, rtol=1e-9)


def test_a_fit_has_a_checkpoint(dask_client, tmp_path):
    X, y, _ = on_dask(*rows("Logistic"))
    whole = LogisticClassifier(alpha=0.01).fit(X, y)
    given = {"checkpoint": tmp_path / "run", "checkpoint_seconds": 0}
    with pytest.warns(ConvergenceWarning):
        LogisticClassifier(alpha=0.01, max_iter=2).fit(X, y, **given)
    same(LogisticClassifier(alpha=0.01).fit(X, y, **given), whole)


@pytest.mark.slow
def test_a_worker_that_dies_changes_no_bit_of_a_fit():
    X, y, weight = rows("Logistic")
    memory = LogisticClassifier(alpha=0.01).fit(in_memory(X, y, weight))
    with a_cluster() as cluster, distributed.Client(cluster) as client:
        model = LogisticClassifier(alpha=0.01, callbacks=killing(client, 2, slice(1)))
        same(sd.fit(client, model, *on_dask(X, y, weight)), memory)


def test_dtypes_of_x(dask_client):
    X, y, _ = rows("LeastSquares")
    dX = on_dask(X, y, y)[0]
    assert LinearRegressor().fit(dX.astype(np.float32), y).coef_.dtype == np.float32
    whole = LinearRegressor().fit((dX * 10).astype(int), y)
    assert whole.coef_.dtype == np.float64
    np.testing.assert_allclose(whole.coef_, LinearRegressor().fit((X * 10).astype(int), y).coef_, rtol=1e-6)


def test_wrong_use_is_told(dask_client):
    X, y, _ = on_dask(*rows("Logistic"))
    with pytest.raises(TypeError, match="estimator must be a LogisticClassifier or a LinearRegressor, got object"):
        sd.fit(dask_client, object(), X, y)
    with pytest.raises(TypeError, match="cross-validation takes arrays, got LinearRegressorCV"):
        sd.fit(dask_client, LinearRegressorCV(), X, y)
    with pytest.raises(TypeError, match="y must hold the targets of the rows of X, got None"):
        LinearRegressor().fit(X)
    with pytest.raises(TypeError, match="X must be a Dask array or a Dask data frame, got float64 of shape"):
        sd.fit(dask_client, LogisticClassifier(), rows("Logistic")[0], y)
    for wrong in (complex, "datetime64[s]", "U3"):
        with pytest.raises(TypeError, match=r"X must hold numbers, got (complex128|datetime64|<U3)"):
            LogisticClassifier().fit(X.astype(wrong), y)
    with pytest.raises(ValueError, match=r"y must hold labels below 16,777,216 beside rows of float32, which"):
        LogisticClassifier().fit(X.astype(np.float32), np.arange(len(X)) % 2 + 2**24)
    with pytest.raises(TypeError, match="part 0: y must hold numbers, got <U"):
        LinearRegressor().fit(X, WORDS[codes()])
    with pytest.raises(ValueError, match="X has 3 features"):
        LinearRegressor().fit(np.ones((3, D)), np.arange(3.0)).predict(X[:, :3])
    model = LogisticClassifier(alpha=0.5).fit(X, y)
    with pytest.raises(ValueError, match="part 3: X must be finite"):
        model.fit(da.where(X[211, 0].compute() == X, np.nan, X), y)
    assert model.predict(X[:2]).compute().shape == (2,)


def test_without_a_client_the_error_says_how_to_make_one():
    X, y, _ = on_dask(*rows("Logistic"))
    with pytest.raises(ValueError, match=r"X of Dask needs an active Dask client, got none; make one with distributed"):
        LinearRegressor().fit(X, y)


def test_predictions_of_collections_take_no_offset():
    X, y = da.from_array(np.ones((4, 2)), chunks=(2, 2)), np.arange(4.0)
    model = LinearRegressor().fit(np.eye(4)[:, :2], y)
    for call in (lambda: model.predict(X, y), lambda: model.predict(X, offset=y)):
        with pytest.raises(NotImplementedError, match="offset must be None for X of Dask"):
            call()
