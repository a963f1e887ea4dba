"""Offsets and factors of penalties in the estimators: fits, predictions, scores, data frames, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import steepest as st
from steepest import reference
from steepest.estimators import LinearRegressor, LogisticClassifier

sparse = pytest.importorskip("scipy.sparse")
linear = pytest.importorskip("sklearn.linear_model")


def table(n=300, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X, offset = rng.standard_normal((n, d)), 0.6 * rng.standard_normal(n)
    return X, X @ np.linspace(1.0, -0.5, d) + 0.4 + offset, offset, rng


TARGETS = {
    "least_squares": lambda z, rng: z + 0.3 * rng.standard_normal(len(z)),
    "huber": lambda z, rng: z + 0.3 * rng.standard_normal(len(z)),
    "poisson": lambda z, rng: rng.poisson(np.exp(z)).astype(float),
}


@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("kind", ["dense", "float32", "csr"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("n", [300, 30_000])
def test_a_regressor_ends_at_the_minimum_of_the_reference(loss, kind, standardize, n):
    X, scores, offset, rng = table(n)
    y = TARGETS[loss](scores, rng)
    made = {"dense": X, "float32": X.astype(np.float32), "csr": sparse.csr_array(X)}[kind]
    model = LinearRegressor(loss=loss, standardize=standardize).fit(made, y, offset=offset)
    w = np.append(model.coef_, model.intercept_).astype(float)
    gradient = getattr(reference, loss)(X, y, w, offset=offset)[1]
    assert np.abs(gradient).max() < (1e-4 if kind == "float32" else 1e-7)
    predicted = model.predict(made[:7], offset=offset[:7])
    expected = X[:7] @ w[:-1] + w[-1] + offset[:7]
    expected = np.exp(expected) if loss == "poisson" else expected
    np.testing.assert_allclose(predicted, expected, rtol=1e-4 if kind == "float32" else 1e-10)


def test_a_classifier_ends_at_the_minimum_of_the_reference():
    X, scores, offset, rng = table()
    y = np.array(["no", "yes"])[(scores + rng.logistic(size=len(scores)) > 0).astype(int)]
    model = LogisticClassifier(alpha=0.01).fit(X, y, offset=offset)
    w = np.append(model.coef_[0], model.intercept_)
    gradient = reference.logistic(X, y == "yes", w, alpha=0.01, offset=offset)[1]
    assert np.abs(gradient).max() < 1e-8
    scores = model.decision_function(X, offset=offset)
    np.testing.assert_allclose(scores, X @ w[:-1] + w[-1] + offset, rtol=1e-12)
    odds = model.predict_proba(X, offset)
    np.testing.assert_allclose(odds[:, 1], 1.0 / (1.0 + np.exp(-scores)), rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X, offset), np.log(odds), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X, offset), np.where(scores > 0, "yes", "no"))
    assert model.score(X, y, offset=offset) == np.mean(model.predict(X, offset) == y)


def test_a_fit_with_an_offset_needs_one_to_predict():
    X, scores, offset, _ = table()
    model = LinearRegressor().fit(X, scores, offset=offset)
    for call in (model.predict, lambda X: model.score(X, scores)):
        with pytest.raises(ValueError, match="offset must be given, as the model was fitted with one"):
            call(X)
    np.testing.assert_allclose(model.predict(X, offset=0.0), X @ model.coef_ + model.intercept_)
    assert model.score(X, scores, offset=offset) == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"offset must be finite numbers of shape \(300,\)"):
        model.predict(X, offset=offset[:-1])
    with pytest.raises(ValueError, match="got nan at index 0"):
        model.predict(X, offset=np.nan)
    again = pickle.loads(pickle.dumps(model))
    with pytest.raises(ValueError, match="offset must be given"):
        again.predict(X)
    model.fit(X, scores)
    assert model.predict(X).shape == (300,)


def test_mini_batches_and_held_out_rows_have_their_offsets():
    X, scores, offset, rng = table(2000)
    y = rng.poisson(np.exp(scores)).astype(float)
    options = {"loss": "poisson", "early_stopping": True, "random_state": 0}
    exact = LinearRegressor(loss="poisson").fit(X, y, offset=offset)
    model = LinearRegressor(**options).fit(X, y, offset=offset)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=0.05)
    steps = LinearRegressor("adam", batch_size=20, max_iter=30, **options).fit(X, y, offset=offset)
    np.testing.assert_allclose(steps.coef_, exact.coef_, atol=0.1)
    given = LinearRegressor(loss="poisson").fit(X, y, None, X, y, offset=offset, offset_val=offset)
    w = np.append(given.coef_, given.intercept_)
    expected = reference.poisson(X, y, w, offset=offset)[0]
    assert given.history_["validation_loss"].min() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("offset", "error", "message"),
    [
        (np.zeros(9), ValueError, r"offset must be finite numbers of shape \(10,\)"),
        (np.full(10, np.inf), ValueError, "got inf at index 0"),
        (["a"] * 10, TypeError, "offset must be finite numbers"),
    ],
)
def test_other_offsets_are_refused_and_change_nothing(offset, error, message):
    X, y = np.arange(10.0)[:, None], np.arange(10.0)
    model = LinearRegressor().fit(X, y)
    before = dict(model.__dict__)
    with pytest.raises(error, match=message):
        model.fit(X, y, offset=offset)
    assert model.__dict__.keys() == before.keys()
    assert model.predict(X).shape == (10,)


def test_where_offsets_do_not_go():
    X, y = np.arange(12.0)[:, None], np.arange(12.0)
    with pytest.raises(ValueError, match=r"offset must be finite numbers of shape \(12, 3\)"):
        LogisticClassifier().fit(X, np.arange(12) % 3, offset=y)
    with pytest.raises(ValueError, match="offset_val must be given if offset and X_val are"):
        LinearRegressor().fit(X, y, None, X, y, offset=y)
    model = LinearRegressor("adam").fit(X, y, offset=y)
    with pytest.raises(ValueError, match="partial_fit takes no offset"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="offset must be None for a model of several targets"):
        LinearRegressor().fit(X, np.column_stack([y, y])).predict(X, offset=y)


# Factors of penalties


def test_factors_are_those_of_the_coefficients():
    X, scores, _, rng = table()
    y = scores + rng.standard_normal(300)
    factors = np.array([0.0, 3.0, np.inf, 1.0])
    options = {"alpha": 0.3, "l1_ratio": 0.5, "penalty_weight": factors}
    model = LinearRegressor(**options).fit(X, y)
    assert model.coef_[2] == 0.0
    assert model.converged_
    kept = [0, 1, 3]
    w = np.append(model.coef_[kept], model.intercept_)
    gradient = reference.least_squares(X[:, kept], y, w, alpha=0.3, l1_ratio=0.5, penalty_weight=factors[kept])[1]
    slopes = gradient + 0.15 * np.append(factors[kept], 0.0) * np.sign(w)
    assert np.abs(slopes[w != 0]).max() < 1e-7
    csr = LinearRegressor(**options).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(csr.coef_, model.coef_, atol=1e-6)


def test_a_factor_of_zero_is_a_coefficient_without_a_penalty():
    X, scores, _, rng = table()
    y = (scores + rng.logistic(size=300) > 0).astype(int)
    model = LogisticClassifier(alpha=100.0, penalty_weight=[0.0, 1.0, 1.0, 1.0]).fit(X, y)
    alone = LogisticClassifier(alpha=0.0).fit(X[:, :1], y)
    np.testing.assert_allclose(model.coef_[0, 0], alone.coef_[0, 0], rtol=1e-2)
    assert np.abs(model.coef_[0, 1:]).max() < 0.01


def test_names_of_a_data_frame_mean_its_columns():
    pandas = pytest.importorskip("pandas")
    X, scores, _, rng = table()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    frame["kind"] = pandas.Categorical(rng.choice(["p", "q", "r"], 300))
    y = scores + rng.standard_normal(300)
    model = LinearRegressor(alpha=0.5, penalty_weight={"b": np.inf, "kind": 0.0, "a": 2.0}).fit(frame, y)
    names = list(model.get_feature_names_out())
    assert model.coef_[names.index("b")] == 0.0
    codes = np.eye(3)[frame["kind"].cat.codes]
    Z = np.column_stack([X, codes])
    factors = np.array([2.0, 1e9, 1.0, 1.0, 0.0, 0.0, 0.0])
    expected = reference.least_squares(
        Z, y, np.append(model.coef_, model.intercept_), alpha=0.5, penalty_weight=factors
    )[1]
    assert np.abs(np.delete(expected, 1)).max() < 1e-6
    level = LinearRegressor(alpha=0.5, penalty_weight={"kind=q": np.inf}).fit(frame, y)
    assert level.coef_[names.index("kind=q")] == 0.0
    assert level.coef_[names.index("kind=p")] != 0.0
    plain = LinearRegressor(alpha=0.5, penalty_weight={"b": np.inf}).fit(frame[list("abcd")], y)
    assert plain.coef_[1] == 0.0


@pytest.mark.parametrize(
    ("factors", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"penalty_weight must be an array of shape \(4,\)"),
        ([1.0, -2.0, 1.0, 1.0], ValueError, "got -2 at index 1"),
        ([np.inf] * 4, ValueError, "penalty_weight must be finite for some column"),
        ({"a": 1.0}, ValueError, "penalty_weight must name columns of X"),
    ],
)
def test_other_factors_are_refused(factors, error, message):
    X, y, _, _ = table()
    with pytest.raises(error, match=message):
        LinearRegressor(penalty_weight=factors).fit(X, y)


def test_partial_fit_takes_factors():
    X, scores, _, _ = table()
    model = LinearRegressor("gradient-descent", alpha=0.1, penalty_weight=[1.0, np.inf, 0.0, 2.0])
    for rows in np.split(np.arange(300), 3):
        model.partial_fit(X[rows], scores[rows])
    assert model.coef_[1] == 0.0
    assert model.coef_[0] != 0.0


def test_parts_take_factors_and_bounds_but_no_offset(tmp_path):
    X, scores, offset, _ = table()
    np.save(tmp_path / "X.npy", np.column_stack([X, scores]))
    stream = st.open_stream(tmp_path / "X.npy", target=4)
    model = LinearRegressor(alpha=0.1, penalty_weight=[1.0, np.inf, 0.0, 2.0]).fit(stream)
    whole = LinearRegressor(alpha=0.1, penalty_weight=[1.0, np.inf, 0.0, 2.0]).fit(X, scores)
    np.testing.assert_allclose(model.coef_, whole.coef_, atol=1e-6)
    positive = LinearRegressor(positive=True).fit(stream)
    np.testing.assert_allclose(positive.coef_, LinearRegressor(positive=True).fit(X, scores).coef_, atol=1e-6)
    with pytest.raises(NotImplementedError, match="offset must be None for X in parts"):
        LinearRegressor().fit(stream, offset=offset)
