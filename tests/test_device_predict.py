"""Fitted estimators predict rows in a CUDA device's memory as they do those of the host."""

from __future__ import annotations

import numpy as np
import pytest

from device_arrays import Interface, OnlyDLPack, csr_on_device, integers_on_device, on_device
from steepest.arrays.device import DeviceArray
from steepest.estimators import LinearRegressor, LinearRegressorCV, LogisticClassifier, LogisticClassifierCV
from storages import NARROW, rounded
from test_cuda_sparse import rows_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 4)) + np.array([0.0, 1.0, -2.0, 5.0])
SCORE = X @ [1.0, -0.5, 2.0, 0.0] + 4.0
NAMES = np.array(["no", "perhaps", "yes"])
Y = {
    "real": SCORE + RNG.standard_normal(90),
    "two targets": np.column_stack([SCORE, -SCORE + 3.0]),
    "one target of two dimensions": SCORE[:, None],
    "counts": RNG.poisson(np.exp(0.3 * SCORE)).astype(float),
    "two classes": np.where(SCORE + RNG.logistic(size=90) > 0, "yes", "no"),
    "three classes": NAMES[np.digitize(SCORE + RNG.logistic(size=90), [-1.0, 1.0])],
}
MODELS = {
    "least squares": (LinearRegressor, "real", {}),
    "huber": (LinearRegressor, "real", {"loss": "huber", "alpha": 0.1}),
    "poisson": (LinearRegressor, "counts", {"loss": "poisson", "standardize": True}),
    "two targets": (LinearRegressor, "two targets", {}),
    "one target of two dimensions": (LinearRegressor, "one target of two dimensions", {}),
    "regressor by cross-validation": (LinearRegressorCV, "real", {"n_alphas": 3, "cv": 2}),
    "two classes": (LogisticClassifier, "two classes", {"standardize": True}),
    "three classes": (LogisticClassifier, "three classes", {}),
    "classifier by cross-validation": (LogisticClassifierCV, "two classes", {"n_alphas": 3, "cv": 2}),
}
PROBABILITIES = ("predict_proba", "predict_log_proba")


def fitted(name, dtype=np.float64):
    kind, targets, options = MODELS[name]
    rows = X if "cross" in name else X.astype(dtype)  # whose paths are those of float64
    return kind(**options).fit(rows, Y[targets]), Y[targets]


def methods_of(model):
    return [name for name in ("predict", "decision_function", *PROBABILITIES) if hasattr(model, name)]


def close(found, expected, eps):
    if expected.dtype.kind in "U":
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, expected)
        return
    assert isinstance(found, DeviceArray)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found.numpy(), expected, rtol=200 * eps, atol=200 * eps * np.abs(expected).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_the_host(cuda, name, dtype):
    model, y = fitted(name, dtype)
    rows = X.astype(dtype)
    for method in methods_of(model):
        for order in ("C", "F"):
            close(getattr(model, method)(on_device(rows, order)), getattr(model, method)(rows), np.finfo(dtype).eps)
    weight = RNG.uniform(0.5, 2.0, len(y))
    for own in (y, *([on_device(y)] if y.dtype.kind == "f" else [])):
        expected = model.score(rows, y, weight)
        assert model.score(on_device(rows), own, on_device(weight)) == pytest.approx(expected, rel=1e-5)
    if y.dtype.kind == "f":
        assert model.score(rows, on_device(y)) == pytest.approx(model.score(rows, y), rel=1e-12)


@pytest.mark.parametrize("name", ["least squares", "three classes"])
def test_wider_coefficients_are_not_rounded(cuda, name):
    """Of float32 rows and float64 coefficients the host's product is float64."""
    model, _ = fitted(name)
    rows = X.astype(np.float32)
    for method in methods_of(model):
        close(getattr(model, method)(on_device(rows)), getattr(model, method)(rows), np.finfo(np.float64).eps)


@pytest.mark.parametrize("storage", NARROW)
def test_narrow_rows(cuda, storage):
    """They count as float32."""
    model, _ = fitted("least squares", np.float32)
    stored, values = rounded(X, storage)
    expected = model.predict(values.astype(np.float32))
    close(model.predict(on_device(stored)), expected, np.finfo(np.float32).eps)


def test_standardised_columns_far_away(cuda):
    """Coefficients are those of raw columns: a score loses the digits that the host's loses, and no others."""
    far = (X + np.array([3e3, 0.0, -1e3, 2e4])).astype(np.float32)
    model = LogisticClassifier(standardize=True).fit(far, Y["two classes"])
    exact = far.astype(float) @ model.coef_[0].astype(float) + float(model.intercept_[0])
    bound = 6 * np.finfo(np.float32).eps * (np.abs(far) @ np.abs(model.coef_[0]) + np.abs(model.intercept_))
    assert np.all(np.abs(model.decision_function(on_device(far)).numpy() - exact) <= bound)
    sure = np.abs(exact) > bound
    np.testing.assert_array_equal(model.predict(on_device(far))[sure], model.predict(far)[sure])


def test_offsets(cuda):
    two = LogisticClassifier().fit(X, Y["two classes"], offset=0.1 * SCORE)
    three = LogisticClassifier().fit(X, Y["three classes"], offset=np.outer(SCORE, [0.1, 0.0, -0.1]))
    for model, offset in ((two, 0.2 * SCORE), (two, 1.5), (three, np.outer(SCORE, [1.0, 0.0, 2.0])), (three, 0.0)):
        for given in (offset, *([on_device(offset)] if np.ndim(offset) else [])):
            for method in methods_of(model):
                expected = getattr(model, method)(X, offset)
                close(getattr(model, method)(on_device(X), given), expected, np.finfo(float).eps)
    with pytest.raises(ValueError, match=r"^offset must be given, as the model was fitted with one"):
        two.predict(on_device(X))
    assert two.score(on_device(X), Y["two classes"], offset=0.2) == two.score(X, Y["two classes"], offset=0.2)


def test_coefficients_that_a_user_has_set(cuda):
    model = LinearRegressor()
    model.coef_, model.intercept_ = np.array([1.0, 2.0, 0.0, 0.5], np.float32), 1.0
    rows = X.astype(np.float32)
    close(model.predict(on_device(rows)), model.predict(rows), np.finfo(np.float32).eps)
    sparse = LogisticClassifier().fit(X, Y["two classes"])
    expected = sparse.predict_proba(X)
    close(sparse.sparsify().predict_proba(on_device(X)), expected, np.finfo(float).eps)
    with pytest.raises(ValueError, match=r"^coef_ and intercept_ must be of shapes \(k, 3\) and \(k,\) for this X"):
        model.predict(on_device(X[:, :3].copy()))


def test_scores_that_overflow_are_those_of_the_host(cuda):
    """Terms of 1e400 with both signs leave a number; only numbers that overflow themselves are infinite."""
    model = LinearRegressor()
    model.coef_, model.intercept_ = np.array([1e200, -1e200, 1.0, 0.0]), np.float64(1.0)
    rows = X.copy()
    rows[7], rows[8] = [1e200, 1e200, 3.0, 0.0], [1e200, 0.0, 0.0, 0.0]
    found = model.predict(on_device(rows)).numpy()
    with np.errstate(over="ignore"):
        expected = model.predict(rows)
    assert np.isfinite(found[7])
    assert found[8] == np.inf
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_other_libraries(cuda):
    model, _ = fitted("least squares")
    there = on_device(X)
    for given in (Interface(there), OnlyDLPack(there)):
        close(model.predict(given), model.predict(X), np.finfo(float).eps)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["least squares", "three classes"])
def test_rows_that_are_not_finite_are_named(cuda, name, bad):
    model, _ = fitted(name)
    rows = X.copy()
    rows[37, 2] = bad
    with pytest.raises(ValueError, match=rf"^X must hold finite numbers, got {bad} in row 37 of column 2$"):
        model.predict(on_device(rows))


def narrowed(rows):
    there = on_device(rows)
    return Interface(there, shape=(45, 4), strides=(64, 8))


WRONG = {
    "too few columns": (lambda: on_device(X[:, :3].copy()), ValueError, "^X has 3 features, but .* is expecting 4"),
    "a vector": (lambda: on_device(X[0].copy()), ValueError, r"^X must be a C- or F-contig.* of two dim.*\(4,\)"),
    "no rows": (lambda: on_device(np.empty((0, 4))), ValueError, r"^X must have at least one row.*\(0, 4\)"),
    "another dtype": (lambda: Interface(on_device(X), typestr="<i8"), TypeError, "^X must be .*int64.*astype"),
    "every other row": (lambda: narrowed(X), ValueError, r"^X must be a C- or F-contig.*strides \(8, 1\)"),
    "sparse": (lambda: csr_on_device(rows_of(9, 4)), NotImplementedError, "^X must be a dense array .* sparse matrix"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("name", ["least squares", "two classes"])
def test_wrong_rows_are_named(cuda, name, case):
    make, error, message = WRONG[case]
    model, _ = fitted(name)
    for method in methods_of(model):
        with pytest.raises(error, match=message):
            getattr(model, method)(make())


def test_freed_rows_are_told(cuda):
    model, _ = fitted("least squares")
    rows = on_device(X)
    rows._buffer.free()
    with pytest.raises(ValueError, match=r"^X must be memory of CUDA device 0, got an address that is not"):
        model.predict(rows)


def test_names_of_the_fit_are_missed_as_on_the_host(cuda):
    pandas = pytest.importorskip("pandas")
    model = LinearRegressor().fit(pandas.DataFrame(X, columns=list("abcd")), Y["real"])
    for rows in (X, on_device(X)):
        with pytest.warns(UserWarning, match=r"^X does not have valid feature names, but LinearRegressor was fitted"):
            model.predict(rows)


def test_models_of_categories_take_data_frames_alone(cuda):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": X[:, 0], "b": pandas.Categorical(np.where(SCORE > 0, "u", "v"))})
    model = LinearRegressor().fit(frame, Y["real"])
    with pytest.raises(TypeError, match=r"^X must be a data frame with the columns of the fit, got DeviceArray"):
        model.predict(on_device(X[:, :2].copy()))


@pytest.mark.parametrize("name", MODELS)
def test_fits_are_refused_with_what_works(cuda, name):
    kind, targets, options = MODELS[name]
    remedy = "copy it with .*, or use st.minimize, which takes steps on the device. A fitted model predicts there"
    with pytest.raises(
        TypeError, match=rf"^X must be in the host's memory, where a {kind.__name__} is fitted, .*{remedy}"
    ):
        kind(**options).fit(on_device(X), Y[targets])
    with pytest.raises(TypeError, match=r"^X must be in the host's memory"):
        kind(**options).fit(csr_on_device(rows_of(90, 4)), Y[targets])


def test_fits_name_targets_and_weights_on_a_device(cuda):
    y = integers_on_device((SCORE > 0).astype(np.int64))
    with pytest.raises(TypeError, match=r"^y must be in the host's memory.*int64 of shape"):
        LogisticClassifier().fit(X, y)
    with pytest.raises(TypeError, match=r"^sample_weight must be in the host's memory"):
        LinearRegressor().fit(X, SCORE, on_device(np.ones(90)))
    with pytest.raises(TypeError, match=r"^X must be in the host's memory"):
        LinearRegressor("adam").partial_fit(on_device(X), SCORE)
    model, y = fitted("two classes")
    assert model.score(on_device(X), y) == model.score(X, y)
