"""What `st.summary` refuses, and what it says then; and what is left of extreme data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import steepest as st

RNG = np.random.default_rng(3)
N = 120
X = RNG.normal(size=(N, 3))
Y = X @ [1.0, -1.0, 0.0] + RNG.normal(size=N)
LABELS = (Y > 0).astype(int)
COUNTS = RNG.poisson(np.exp(X[:, 0])).astype(float)
ignoring = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def told(model: Any, *data: Any, error: type[Exception] = ValueError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        st.summary(model, *data, **options)
    return str(caught.value)


def test_l1_has_none_with_the_reason() -> None:
    for make, y in ((st.LinearRegressor, Y), (st.LogisticClassifier, LABELS)):
        text = told(make(alpha=0.1, l1_ratio=0.5).fit(X, y), X, y)
        assert "must leave no L1 penalty" in text
        assert "l1_ratio=0.5 with alpha=0.1" in text
        assert "chooses the columns by the same rows" in text
    st.summary(st.LinearRegressor(alpha=0.0, l1_ratio=0.5).fit(X, Y), X, Y)  # which is none


@pytest.mark.parametrize("kind", ["squares", "two", "three", "counts"])
def test_columns_that_depend_on_each_other_are_named(kind: str) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(twice=lambda table: 2 * table["a"])
    model, y = {
        "squares": (st.LinearRegressor(), Y),
        "two": (st.LogisticClassifier(alpha=0.0), LABELS),
        "three": (st.LogisticClassifier(alpha=0.0), RNG.integers(0, 3, N)),
        "counts": (st.LinearRegressor(loss="poisson"), COUNTS),
    }[kind]
    text = told(model.fit(frame, y), frame, y)
    assert "the Hessian is singular: 'a' and 'twice' depend on each other; leave out 1 of them" in text
    st.summary(model.set_params(alpha=0.1).fit(frame, y), frame, y)


def test_dependence_through_the_intercept_and_through_sums() -> None:
    levels = np.eye(3)[RNG.integers(0, 3, N)]
    both = np.column_stack([X, levels])
    text = told(st.LinearRegressor().fit(both, Y), both, Y)
    assert "'x3', 'x4', 'x5' and (intercept) depend on each other; leave out 1 of them" in text
    found = st.summary(st.LinearRegressor(fit_intercept=False).fit(both, Y), both, Y)
    assert np.isfinite(found.standard_errors).all()
    sums = np.column_stack([X, X[:, 0] + X[:, 1], X[:, 1] - X[:, 0]]).astype(np.float32)
    text = told(st.LinearRegressor().fit(sums, Y), sums, Y)
    assert "'x0', 'x1', 'x3' and 'x4' depend on each other; leave out 2 of them" in text


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("loss", ["least_squares", "poisson"])
def test_exactly_the_dependent_columns_are_named(seed: int, loss: str) -> None:
    """A column is one of them if the rank is the same without it. So is the intercept, which is a column of ones."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(60, 5)) * 10.0 ** rng.integers(-1, 3, 5) + rng.normal(size=5)
    made = [
        base[:, rng.choice(5, rng.integers(1, 4), replace=False)].sum(axis=1) + rng.integers(0, 2) for _ in range(2)
    ]
    columns = np.column_stack([base, *made])[:, rng.permutation(7)]
    scaled = np.column_stack([columns / np.abs(columns).max(axis=0), np.ones(60)])
    rank = np.linalg.matrix_rank(scaled, tol=1e-9)
    free = [j for j in range(8) if np.linalg.matrix_rank(np.delete(scaled, j, axis=1), tol=1e-9) == rank]
    y = rng.poisson(2.0, 60).astype(float)
    text = told(st.LinearRegressor(loss=loss).fit(columns, y), columns, y)
    named = text.partition("singular: ")[2].partition(" depend")[0]
    expected = [f"'x{j}'" if j < 7 else "(intercept)" for j in free]
    assert named.replace(" and ", ", ").split(", ") == expected
    assert f"leave out {8 - rank} of them" in text


def test_constant_columns_are_named() -> None:
    with_ones = np.column_stack([X, np.full(N, 7.0), np.zeros(N)])
    text = told(st.LinearRegressor().fit(with_ones, Y), with_ones, Y)
    assert "no column that is constant beside the intercept, got 'x3' and 'x4'; leave them out" in text
    text = told(st.LinearRegressor(fit_intercept=False).fit(with_ones, Y), with_ones, Y)
    assert "no column that is all zeros, got 'x4'; leave it out" in text


def test_fewer_rows_than_parameters() -> None:
    few = X[:3]
    assert "there are only 3 rows for 4 parameters" in told(st.LinearRegressor().fit(few, Y[:3]), few, Y[:3])
    four = told(st.LinearRegressor().fit(X[:4], Y[:4]), X[:4], Y[:4])
    assert "X must have more rows than parameters, got 4 rows for 4 parameters" in four
    one = told(st.LinearRegressor().fit(X[:1], Y[:1]), X[:1], Y[:1])
    assert "constant beside the intercept" in one


@ignoring
@pytest.mark.parametrize("which", ["X", "y", "weights", "half"])
def test_other_rows_than_those_of_the_fit(which: str) -> None:
    for model, y in (
        (st.LinearRegressor(), Y),
        (st.LogisticClassifier(alpha=0.0), LABELS),
        (st.LogisticClassifier(), RNG.integers(0, 3, N)),
        (st.LinearRegressor(loss="poisson"), COUNTS),
        (st.LinearRegressor(loss="huber"), Y),
    ):
        model.fit(X, y)
        other: Any = {
            "X": (X + RNG.normal(size=X.shape), y),
            "y": (X, RNG.permutation(y)),
            "weights": (X, y, RNG.uniform(0.1, 5, N)),
            "half": (X[::2], y[::2]),
        }[which]
        assert "must be those of a fit that has converged" in told(model, *other)


@ignoring
def test_fits_that_have_not_converged() -> None:
    early = st.LinearRegressor("adam", max_iter=5).fit(X, Y)
    text = told(early, X, Y)
    assert "it stopped with 'max_epochs'" in text
    assert "a step of Newton's method from the fitted parameters would move" in text
    with pytest.raises(ValueError, match="must be those of a fit that has converged"):
        st.summary(st.LogisticClassifier("adam", alpha=0.0, random_state=0).partial_fit(X, LABELS, [0, 1]), X, LABELS)
    stopped = st.LinearRegressor("adam", early_stopping=True, random_state=0, max_iter=20).fit(X, Y)
    assert "must be those of a fit" in told(stopped, X, Y)


@ignoring
def test_separable_classes() -> None:
    separable = (X[:, 0] > 0).astype(int)
    text = told(st.LogisticClassifier(alpha=0.0).fit(X, separable), X, separable)
    assert "no finite coefficients maximise the likelihood; give a penalty (alpha > 0)" in text
    quasi = np.column_stack([X, (np.arange(N) < 5) * 1.0])  # a column that only one class has
    labels = np.where(quasi[:, 3] == 1, 1, LABELS)
    assert "no finite coefficients" in told(st.LogisticClassifier(alpha=0.0).fit(quasi, labels), quasi, labels)
    zeros = np.where(quasi[:, 3] == 1, 0.0, COUNTS)
    text = told(st.LinearRegressor(loss="poisson").fit(quasi, zeros), quasi, zeros)
    assert "y has only zeros where some columns are not 0" in text
    st.summary(st.LogisticClassifier().fit(X, separable), X, separable)
    for alpha in (0.0, 0.1):  # no penalty holds the intercept
        nothing = st.LinearRegressor(loss="poisson", alpha=alpha).fit(X, np.zeros(N))
        assert "y has only zeros, so that no finite" in told(nothing, X, np.zeros(N))


def test_a_class_without_weight() -> None:
    three = np.arange(N) % 3
    weight = (three != 2).astype(float)
    assert "got none for 2; leave" in told(st.LogisticClassifier().fit(X, three, weight), X, three, weight)


def test_models_fitted_to_other_columns() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = st.LinearRegressor().fit(frame, Y)
    assert "feature names" in told(model, frame.rename(columns={"c": "d"}), Y)
    assert "expecting 3 features" in told(st.LinearRegressor().fit(X, Y), X[:, :2], Y)
    assert "y must hold the classes" in told(st.LogisticClassifier().fit(X, LABELS), X, LABELS + 1)


def test_models_that_are_none() -> None:
    assert "model must be a LinearRegressor or a LogisticClassifier" in told(LinearRegression(), X, Y, error=TypeError)
    pipeline = make_pipeline(StandardScaler(), st.LinearRegressor()).fit(X, Y)
    assert "take its last step" in told(pipeline, X, Y, error=TypeError)
    told(st.LinearRegressor(), X, Y, error=NotFittedError)
    assert "got type" in told(st.LinearRegressor, X, Y, error=TypeError)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"level": 1.0}, "level must be a finite number above 0 and below 1, got 1.0"),
        ({"level": 95}, "level must be"),
        ({"covariance": "HC3"}, "covariance must be one of 'auto', 'classical', 'sandwich', 'HC0', 'HC1', got 'HC3'"),
        ({"weights_are": "frequency"}, "weights_are must be one of 'copies', 'sampling'"),
        ({"covariance": "classical", "weights_are": "sampling"}, "weights of sampled rows are no copies"),
        ({"offset": np.zeros(3)}, "offset must be finite numbers of shape (120,)"),
        ({"offset": np.full(N, np.nan)}, "offset must be finite numbers of shape (120,)"),
    ],
)
def test_arguments(options: dict[str, Any], text: str) -> None:
    assert text in told(st.LinearRegressor().fit(X, Y), X, Y, **options)


def test_losses_that_are_no_likelihood() -> None:
    text = told(st.LinearRegressor(loss="huber").fit(X, Y), X, Y, covariance="classical")
    assert "covariance must be a sandwich ('HC0' or 'HC1'), as the loss Huber is no likelihood" in text
    weighted = st.LogisticClassifier(class_weight={0: 1, 1: 2}).fit(X, LABELS)
    assert "class_weight makes weights that are no copies" in told(weighted, X, LABELS, covariance="classical")
    with pytest.raises(ValueError, match="at least one non-zero number"):
        st.summary(st.LinearRegressor().fit(X, Y), X, Y, np.zeros(N))


def test_a_perfect_fit_says_so() -> None:
    exact = X @ [1.0, 2.0, 3.0] + 4.0
    found = st.summary(st.LinearRegressor().fit(X, exact), X, exact)
    np.testing.assert_allclose(found.standard_errors, 0, atol=1e-8)
    np.testing.assert_allclose(found.coef, [1, 2, 3, 4])
    constant = st.summary(st.LinearRegressor().fit(X, np.full(N, 5.0)), X, np.full(N, 5.0))
    np.testing.assert_allclose(constant.coef, [0, 0, 0, 5], atol=1e-9)
    assert "fits all rows exactly" in str(constant)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_fits_in_both_dtypes_are_not_refused(dtype: Any) -> None:
    """Rounded coefficients of columns far from zero are no other rows."""
    rng = np.random.default_rng(5)
    many = (rng.normal(size=(50_000, 20)) + rng.uniform(-5, 5, 20) * 10).astype(dtype)
    y = (many @ rng.normal(size=20) + rng.normal(size=50_000) + 100).astype(dtype)
    found = st.summary(st.LinearRegressor().fit(many, y), many, y)
    np.testing.assert_allclose(found.standard_errors[:-1], 50_000**-0.5, rtol=0.05)
    labels = (rng.logistic(size=50_000) < (many - many.mean(axis=0)) @ (rng.normal(size=20) / 5)).astype(int)
    st.summary(st.LogisticClassifier(alpha=0.0).fit(many, labels), many, labels)
    st.summary(st.LogisticClassifier().fit(many, labels), many, labels)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_units_whose_squares_are_beyond_float64(unit):
    """The variance of the coefficient has the unit to the power of -2. At 1e-100 the standard error is right."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2))
    y = 3 * X[:, 0] + rng.standard_normal(100)

    def summary(scale):
        scaled = X * [scale, 1.0]
        return st.summary(st.LinearRegressor().fit(scaled, y), scaled, y)

    with pytest.raises(ValueError, match=r"to units near 1( in the columns of 'x0')?$"):
        summary(unit)
    found, expected = summary(1e-100), summary(1.0)
    np.testing.assert_allclose(found.standard_errors * [1e-100, 1, 1], expected.standard_errors, rtol=1e-9)
