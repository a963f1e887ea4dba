"""Counts of 0 that leave Poisson's loss without a minimum, and data that only look like it."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def sparse_table(n=300, seed=0):
    """An indicator in some rows, and counts; all rows of the indicator have a count of 0."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal(n), (np.arange(n) % 10 == 0) * 1.0])
    y = rng.poisson(3.0, n) + 1.0
    y[X[:, 1] == 1] = 0.0
    return X, y


def diagnosis_of(objective, **options):
    result = st.minimize(objective, **options)
    return result, result.diagnosis


@pytest.mark.filterwarnings("ignore")
@each_dtype
def test_a_column_of_zero_counts_has_no_minimum(dtype):
    X, y = (each.astype(dtype) for each in sparse_table())
    result, told = diagnosis_of(st.Poisson(X, y))
    assert result.stop_reason == "separable"
    assert told.kind == "separable"
    assert "there is no minimum: along some direction" in told
    assert st.minimize(st.Poisson(X, y, alpha=1e-3)).converged


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("intercept", [True, False])
def test_a_combination_of_columns_has_no_minimum(intercept):
    """Two columns whose sum is that of the indicator."""
    X, y = sparse_table()
    X = np.column_stack([X[:, 0], X[:, 1] - X[:, 0]])
    result, told = diagnosis_of(st.Poisson(X, y, intercept=intercept))
    assert told.kind == "separable"
    assert result.stop_reason == "separable"


@pytest.mark.filterwarnings("ignore")
def test_an_indicator_far_from_zero_has_no_minimum():
    X, y = sparse_table()
    X[:, 1] += 1e5
    assert diagnosis_of(st.Poisson(X, y))[1].kind == "separable"


@pytest.mark.filterwarnings("ignore")
def test_columns_of_which_only_some_rows_say_so():
    X, y = sparse_table(30_000)
    X[::20, 1] *= 3.0
    assert diagnosis_of(st.Poisson(X, y))[1].kind == "separable"
    y[10] = 1.0  # one count in a row of the indicator
    result, told = diagnosis_of(st.Poisson(X, y))
    assert result.converged
    assert not told


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("positive", [0, 1])
def test_levels_that_a_sample_of_the_rows_misses(positive):
    """A level of five rows among 100,000, all with a count of 0 but for one, if any."""
    rng = np.random.default_rng(0)
    X, y = np.zeros((100_000, 3)), rng.poisson(3.0, 100_000) + 1.0
    X[:, 0] = rng.standard_normal(100_000)
    X[[7, 60_001], 1] = 1.0
    X[[11, 313, 707, 50_003, 99_998], 2] = 1.0
    y[[11, 313, 707, 50_003, 99_998]] = 0.0
    y[313] = positive
    assert diagnosis_of(st.Poisson(X, y))[1].kind == ("" if positive else "separable")


@pytest.mark.filterwarnings("ignore")
def test_many_columns():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((900, 220)), rng.poisson(3.0, 900) + 0.0
    assert diagnosis_of(st.Poisson(X, y))[0].converged
    X[:, 7] = y == 0
    assert diagnosis_of(st.Poisson(X, y))[1].kind == "separable"


def test_dependent_columns_and_indicators_of_both_signs_have_a_minimum():
    X, y = sparse_table()
    X[:, 1] *= np.where(np.arange(300) % 20 == 0, 1.0, -1.0)  # one direction lowers some rows and raises others
    result, told = diagnosis_of(st.Poisson(X, y))
    assert result.converged
    assert not told
    group = np.arange(300) % 3
    dummies = (group[:, None] == [0, 1, 2]) * 1.0  # which add up to the intercept's column
    result, told = diagnosis_of(st.Poisson(dummies, y))
    assert result.converged
    assert not told


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_all_zero_counts_have_no_minimum(alpha):
    X, y = np.random.default_rng(0).standard_normal((50, 2)), np.zeros(50)
    weight = np.ones(50)
    y[7], weight[7] = 5.0, 0.0  # an absent row
    result, told = diagnosis_of(st.Poisson(X, y, sample_weight=weight, alpha=alpha))
    assert told == "there is no minimum: all targets are 0, so the loss falls for ever as the intercept does"
    assert result.stop_reason == "separable"


def test_all_zero_counts_without_an_intercept():
    """Columns of both signs in every direction hold w near 0: the mean of cosh(x w) is least there."""
    X = np.array([[1.0], [-1.0]])
    result, told = diagnosis_of(st.Poisson(X, np.zeros(2), intercept=False), w0=np.array([0.5]))
    assert result.converged
    assert not told
    assert abs(result.w[0]) < 1e-8


def test_the_estimator_says_that_there_is_no_minimum():
    pytest.importorskip("sklearn")
    X, y = sparse_table()
    with pytest.warns(UserWarning, match="The fit found no minimum; there is no minimum: along some direction"):
        st.LinearRegressor(loss="poisson").fit(X, y)
    with pytest.warns(UserWarning, match="all targets are 0"):
        st.LinearRegressor(loss="poisson").fit(X, np.zeros(len(X)))
