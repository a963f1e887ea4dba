"""Pipelines of scikit-learn whose transformers give sparse rows, on real tables, against scikit-learn's own models."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

import steepest as st
from linear_models import assert_same
from real_tables import table

CATEGORIES = ["carrier", "origin", "dest"]


def flights():
    frame = table("flights").dropna(subset=["arr_delay", "dep_delay"]).reset_index(drop=True)
    return frame, (frame["arr_delay"] > 15).to_numpy(), frame["arr_delay"].to_numpy(float)


def columns_of_flights(**options):
    return make_column_transformer(
        (StandardScaler(), ["dep_delay", "distance"]),
        (OneHotEncoder(handle_unknown="ignore", **options), CATEGORIES),
        sparse_threshold=1.0,
    )


def passengers():
    frame = table("Titanic").dropna(subset=["Name", "Sex"])
    return frame["Name"].astype(str).to_numpy(), frame["Sex"].to_numpy(str)


def rows_of(columns, frame):
    made = columns.fit_transform(frame)
    assert sparse.issparse(made)
    return made


@pytest.mark.parametrize("standardize", [False, True])
def test_flights_by_carrier_and_airport(standardize):
    """The whole pipeline, beside the same one of dense columns and a model of scikit-learn on the same rows."""
    frame, late, _ = flights()
    model = st.LogisticClassifier(standardize=standardize)
    own = make_pipeline(columns_of_flights(), clone(model)).fit(frame, late)
    twin = make_pipeline(columns_of_flights(sparse_output=False), clone(model)).fit(frame, late)
    assert sparse.issparse(own[:-1].transform(frame))
    assert_same(own[-1], twin[-1], 1e-7)
    np.testing.assert_allclose(own.predict_proba(frame), twin.predict_proba(frame), atol=1e-7)
    dense = own[:-1].transform(frame).toarray()
    scaler = StandardScaler().fit(dense) if standardize else None
    theirs = LogisticRegression(tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    theirs.fit(dense if scaler is None else scaler.transform(dense), late)
    want = theirs.coef_ if scaler is None else theirs.coef_ / scaler.scale_
    np.testing.assert_allclose(own[-1].coef_, want, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_delays_of_flights(dtype):
    frame, _, delay = flights()
    X = rows_of(columns_of_flights(dtype=dtype), frame).astype(dtype)
    model = st.LinearRegressor(alpha=2 / len(frame)).fit(X, delay.astype(dtype))
    theirs = Ridge(alpha=1.0, solver="cholesky").fit(X.toarray().astype(float), delay)
    assert_same(model, theirs, {8: 1e-7, 4: 1e-4}[np.dtype(dtype).itemsize])


def test_flights_a_day_as_counts():
    frame, _, _ = flights()
    days = frame.groupby(["month", "day", "origin"]).size().reset_index(name="flights")
    X = rows_of(OneHotEncoder(), days[["month", "day", "origin"]].astype(str))
    y = days["flights"].to_numpy(float)
    model = st.LinearRegressor(loss="poisson", alpha=0.01).fit(X, y)
    theirs = PoissonRegressor(alpha=0.01, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(X.toarray(), y)
    assert_same(model, theirs)


@pytest.mark.parametrize(
    "made",
    [
        TfidfVectorizer(),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32),
        HashingVectorizer(n_features=2**15, alternate_sign=False),
        HashingVectorizer(n_features=2**15, analyzer="char_wb", ngram_range=(1, 3), norm=None, binary=True),
    ],
    ids=["words", "characters", "hashed words", "hashed characters"],
)
def test_the_sex_of_a_passenger_by_name(made):
    names, sex = passengers()
    X = rows_of(made, names)
    model = st.LogisticClassifier().fit(X, sex)
    theirs = LogisticRegression(tol=1e-9, max_iter=10_000, solver="newton-cg").fit(X.astype(np.float64), sex)
    tolerance = {8: 1e-5, 4: 1e-4}[X.dtype.itemsize]
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=tolerance * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=tolerance)
    np.testing.assert_array_equal(model.predict(X), theirs.predict(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # at a ten-millionth of the gradient
def test_the_class_of_a_passenger_by_name_and_sex():
    """Three classes; text and categories side by side."""
    frame = table("Titanic").dropna(subset=["Name", "Sex", "PClass"])
    frame = frame[frame["PClass"].isin(["1st", "2nd", "3rd"])].astype({"Name": str})
    columns = make_column_transformer((TfidfVectorizer(), "Name"), (OneHotEncoder(), ["Sex"]), sparse_threshold=1.0)
    y = frame["PClass"].to_numpy(str)
    own = make_pipeline(columns, st.LogisticClassifier(class_weight="balanced")).fit(frame, y)
    theirs = LogisticRegression(tol=1e-9, max_iter=10_000, solver="newton-cg", class_weight="balanced")
    theirs.fit(own[:-1].transform(frame), y)
    np.testing.assert_allclose(own[-1].coef_, theirs.coef_, atol=1e-5 * np.abs(theirs.coef_).max())
    assert list(own.predict(frame)) == list(theirs.predict(own[:-1].transform(frame)))


def test_words_that_an_l1_penalty_leaves():
    names, sex = passengers()
    pipeline = make_pipeline(TfidfVectorizer(), st.LogisticClassifier(alpha=1e-3, l1_ratio=1.0)).fit(names, sex)
    model, X = pipeline[-1], pipeline[:-1].transform(names)
    kept = model.coef_.ravel() != 0
    assert 0 < kept.sum() < 200 < kept.size
    words = pipeline[:-1].get_feature_names_out()
    assert {"mr", "mrs", "miss"} <= set(words[kept])
    slopes = X.T @ (model.predict_proba(X)[:, 1] - (sex == model.classes_[1])) / len(sex)
    np.testing.assert_allclose(slopes[kept], -1e-3 * np.sign(model.coef_.ravel()[kept]), atol=1e-6)
    assert np.abs(slopes[~kept]).max() <= 1e-3 + 1e-6
    predicted = pipeline.predict(names)
    model.sparsify()
    np.testing.assert_array_equal(pipeline.predict(names), predicted)


def test_searches_and_cross_validation():
    frame, late, _ = flights()
    pipeline = make_pipeline(columns_of_flights(), MaxAbsScaler(), st.LogisticClassifier())
    scores = cross_val_score(pipeline, frame, late, cv=3)
    assert scores.min() > max(late.mean(), 1 - late.mean())
    search = GridSearchCV(pipeline, {"logisticclassifier__alpha": [1e-4, 1e-2, 1.0]}, cv=2).fit(frame, late)
    assert search.best_params_ == {"logisticclassifier__alpha": 1e-4}


def test_names_as_they_come():
    """HashingVectorizer has nothing to learn, so rows may come in parts: the accuracy is that of a whole fit."""
    names, sex = passengers()
    order = np.random.default_rng(0).permutation(len(names))
    names, sex = names[order], sex[order]
    made = HashingVectorizer(n_features=2**15, alternate_sign=False)
    online = st.LogisticClassifier("adagrad", random_state=0)
    for start in range(0, 1000, 100):
        online.partial_fit(made.transform(names[start : start + 100]), sex[start : start + 100], classes=np.unique(sex))
    whole = st.LogisticClassifier().fit(made.transform(names[:1000]), sex[:1000])
    test = made.transform(names[1000:]), sex[1000:]
    assert online.score(*test) > whole.score(*test) - 0.03 > 0.85
