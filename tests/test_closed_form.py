"""The closed form of least squares against NumPy's lstsq, on easy and ill-conditioned problems; its errors."""

from __future__ import annotations

import re
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

import steepest as st
from cases import Problem
from least_squares import assert_stationary, rows_of
from steepest.closed_form import triangular
from storages import NARROW, rounded

LEAST_SQUARES = some.builds(
    Problem,
    n=some.integers(1, 70),
    d=some.integers(1, 20),
    order=some.sampled_from("CF"),
    dtype=some.sampled_from([np.float32, np.float64]),
    weighted=some.booleans(),
    intercept=some.booleans(),
    alpha=some.sampled_from([0.0, 0.3]),
    seed=some.integers(0, 2**31),
)


def quiet(objective):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.RankWarning)
        return st.normal_equation(objective)


# On random problems


@given(LEAST_SQUARES)
def test_is_that_of_lstsq(problem):
    X, y, s = problem.data
    A, b = rows_of(X, y, s, problem.intercept, problem.alpha)
    expected, _, rank, singular = np.linalg.lstsq(A, b)
    assume(singular[rank - 1] > 1e-3 * singular[0])  # else float32's tolerance may see another rank
    found = quiet(problem.objective)
    assert found.w.dtype == problem.dtype
    assert found.rank == rank
    np.testing.assert_allclose(
        found.w, expected, rtol=0, atol=1e3 * np.finfo(problem.dtype).eps * np.abs(expected).max()
    )
    assert found.value == problem.objective.value(found.w)
    assert_stationary(problem.objective, found.w)


@given(LEAST_SQUARES, some.integers(0, 2**31))
def test_no_other_parameters_have_a_lower_value(problem, seed):
    found = quiet(problem.objective)
    direction = np.random.default_rng(seed).standard_normal(found.w.size).astype(problem.dtype)
    for step in (0.1, -0.1):
        assert problem.objective.value(found.w + problem.dtype(step) * direction) >= found.value * (1 - 1e-6) - 1e-9


@given(LEAST_SQUARES)
def test_a_start_at_it_is_where_descent_stays(problem):
    found = quiet(problem.objective)
    rate = 1.0 / np.linalg.eigvalsh(problem.objective.hessian(found.w).astype(float))[-1]
    result = st.minimize(problem.objective, found.w, st.GradientDescent(rate), max_epochs=5)
    assert result.value >= found.value - 1e-5 * abs(found.value) - 1e-9


@pytest.mark.parametrize("storage", NARROW)
@pytest.mark.parametrize("order", "CF")
def test_narrow_data_are_widened(storage, order):
    X, y, _ = Problem(n=300, d=4, dtype=np.float32).data
    stored, wide = rounded(X, storage)
    found = st.normal_equation(st.LeastSquares(np.asarray(stored, order=order), y))
    assert found.w.dtype == np.float32
    np.testing.assert_array_equal(found.w, st.normal_equation(st.LeastSquares(wide, y)).w)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [3, 90])
def test_rows_beyond_one_block(d, dtype):
    problem = Problem(n=30_000 if d == 3 else 2_000, d=d, dtype=dtype, weighted=True)
    expected = np.linalg.lstsq(*rows_of(*problem.data))[0]
    found = st.normal_equation(problem.objective)
    assert (found.method, found.rank) == ("cholesky", d + 1)
    np.testing.assert_allclose(found.w, expected, rtol=0, atol=20 * np.finfo(dtype).eps * np.abs(expected).max())


def test_a_tensor_gets_a_tensor():
    torch = pytest.importorskip("torch")
    X, y, _ = Problem().data
    found = st.normal_equation(st.LeastSquares(torch.from_numpy(X), torch.from_numpy(y)))
    assert isinstance(found.w, torch.Tensor)
    np.testing.assert_array_equal(found.w.numpy(), st.normal_equation(st.LeastSquares(X, y)).w)


def test_prints_what_it_found():
    assert re.fullmatch(
        r"ClosedForm\(value=[\d.e-]+, rank=6, method='cholesky', w=\[.*\]\)",
        repr(st.normal_equation(Problem().objective)),
    )


# Ill-conditioned


def graded(kappa, n=400, d=12, dtype=np.float64):
    """Rows of a condition number, whose columns have one norm, so that no scaling of them helps."""
    rng = np.random.default_rng(3)
    left = np.linalg.qr(rng.standard_normal((n, d)))[0]
    right = np.linalg.qr(rng.standard_normal((d, d)))[0]
    X = ((left * np.geomspace(1, 1 / kappa, d)) @ right.T).astype(dtype)
    return X, (X.astype(float) @ np.ones(d)).astype(dtype)


@pytest.mark.parametrize(("kappa", "method"), [(1e1, "cholesky"), (1e4, "cholesky"), (1e8, "qr"), (1e10, "qr")])
def test_accuracy_is_that_of_qr_at_any_condition_number(kappa, method):
    X, y = graded(kappa)
    found = st.normal_equation(st.LeastSquares(X, y, intercept=False))
    assert (found.method, found.rank) == (method, 12)
    assert np.abs(found.w - 1).max() <= 100 * kappa * np.finfo(float).eps
    if kappa == 1e10:
        gram = X.T @ X
        by_gram = np.linalg.solve(gram, X.T @ y)
        assert np.abs(by_gram - 1).max() > 100 * np.abs(found.w - 1).max()


def test_refinement_takes_the_squared_condition_number_out():
    X, y = graded(1e5)
    found = st.normal_equation(st.LeastSquares(X, y, intercept=False))
    assert found.method == "cholesky"
    by_gram = np.linalg.solve(X.T @ X, X.T @ y)
    assert np.abs(by_gram - 1).max() > 100 * np.abs(found.w - 1).max()


def test_hilbert_matrix():
    index = np.arange(8)
    X = 1.0 / (index + np.arange(30)[:, None] + 1)
    found = st.normal_equation(st.LeastSquares(X, X.sum(axis=1), intercept=False))
    assert found.method == "qr"
    assert np.abs(found.w - 1).max() < 1e-5


@pytest.mark.parametrize(("kappa", "method"), [(1e2, "cholesky"), (3e4, "qr")])
def test_float32_is_solved_to_the_last_digit(kappa, method):
    X, y = graded(kappa, dtype=np.float32)
    expected = np.linalg.lstsq(X.astype(float), y.astype(float))[0]
    found = st.normal_equation(st.LeastSquares(X, y, intercept=False))
    assert found.method == method
    np.testing.assert_allclose(found.w, expected, rtol=2 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e120])
def test_columns_of_any_scale(scale):
    X, y, _ = Problem().data
    X[:, 1] *= scale
    found = st.normal_equation(st.LeastSquares(X, y))
    X[:, 1] /= scale
    expected = st.normal_equation(st.LeastSquares(X, y)).w
    np.testing.assert_allclose(found.w * [1, scale, 1, 1, 1, 1], expected, rtol=1e-10)


# Memory, errors


@pytest.mark.parametrize("dependent", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_is_blocks_of_rows(dtype, dependent):
    X = np.ones((1_000_000, 6), dtype)
    X[:, : 6 - dependent] = np.random.default_rng(0).standard_normal((1_000_000, 6 - dependent), np.float32)
    objective = st.LeastSquares(X, X[:, 0].copy())
    tracemalloc.start()
    quiet(objective)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * X.nbytes


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_that_are_not_finite(bad, dtype):
    X, y, _ = Problem(dtype=dtype).data
    X[4, 2] = bad
    with pytest.raises(ValueError, match="look for nan, infinity"):
        st.normal_equation(st.LeastSquares(X, y))


@pytest.mark.parametrize(
    ("objective", "error", "message"),
    [
        (
            Problem("logistic").objective,
            TypeError,
            "must be a LeastSquares, which has a closed form, got Logistic; use st.min",
        ),
        (st.Function(lambda w: (0.0, w), 2), TypeError, "must be a LeastSquares, .*, got Function"),
        (st.LeastSquares, TypeError, "must be a LeastSquares, .*, got type"),
        (None, TypeError, "must be a LeastSquares, .*, got None"),
        (
            Problem(alpha=0.5, l1_ratio=0.25).objective,
            ValueError,
            "l1_ratio or alpha must be 0 for a closed form, got l1_ratio=0.25 with alpha=0.5; use st.minimize",
        ),
    ],
    ids=["logistic", "function", "class", "none", "l1"],
)
def test_what_has_no_closed_form(objective, error, message):
    with pytest.raises(error, match=message):
        st.normal_equation(objective)


def test_l1_ratio_means_nothing_without_alpha():
    X, y, _ = Problem().data
    plain, shared = (st.normal_equation(st.LeastSquares(X, y, l1_ratio=ratio)).w for ratio in (0.0, 0.5))
    np.testing.assert_array_equal(plain, shared)


def test_an_objective_on_a_device_is_refused(monkeypatch):
    objective = Problem().objective
    monkeypatch.setattr(st.LeastSquares, "device", 1)
    message = (
        "must be in the host's memory for its closed form, got one in the memory of CUDA device 1; use st.minimize"
    )
    with pytest.raises(ValueError, match=message):
        st.normal_equation(objective)


@pytest.mark.parametrize("d", [1, 2, 63, 64, 65, 129, 200])
def test_inverse_of_a_triangle(d):
    L = np.tril(np.random.default_rng(d).uniform(-1, 1, (d, d))) / np.sqrt(d) + np.eye(d)
    inverse = triangular.inverse(L)
    np.testing.assert_array_equal(inverse, np.tril(inverse))
    # Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 14.2: |X L - 1| <= c(d) eps |X| |L|
    bound = 2 * d * np.finfo(float).eps * (np.abs(inverse) @ np.abs(L))
    assert (np.abs(inverse @ L - np.eye(d)) <= bound).all()
    L[d // 2, d // 2] = 0
    with pytest.raises(np.linalg.LinAlgError):
        triangular.inverse(L)
