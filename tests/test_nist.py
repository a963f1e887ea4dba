"""NIST's reference problems: certified digits of fits with their defaults, beside those of NumPy's lstsq."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import steepest as st
from nist import digits, problems

PROBLEMS = problems()
# The certified values are those of the decimal data. Filip's powers, rounded to float64, have a condition number of
# 1.8e15: their own minimum, by exact arithmetic, has 7.9 digits of the certified one.
LEAST = {"Filip": 7.5}
ENOUGH = 13.0 if np.finfo(np.longdouble).eps < 1e-18 else 10.0  # of the others


def rows(name):
    X, y, intercept, certified = PROBLEMS[name]
    A = np.column_stack([np.ones(len(X)), X]) if intercept else X
    return X, y, intercept, certified, A


def parameters(model, intercept):
    return [*[model.intercept_] * intercept, *model.coef_]


@pytest.mark.parametrize("name", PROBLEMS)
def test_defaults_have_the_digits_of_lstsq(name):
    X, y, intercept, certified, A = rows(name)
    model = st.LinearRegressor(alpha=0.0, fit_intercept=intercept).fit(X, y)
    found = digits(parameters(model, intercept), certified)
    assert found >= digits(np.linalg.lstsq(A, y, rcond=None)[0], certified)
    assert found >= LEAST.get(name, ENOUGH)
    assert model.stop_reason_ in ("GradientNorm", "precision")


@pytest.mark.parametrize("name", PROBLEMS)
def test_standardised_columns_have_the_least_residual_sum(name):
    X, y, intercept, certified, A = rows(name)
    model = st.LinearRegressor(fit_intercept=intercept, standardize=True).fit(X, y)
    scale = float(np.abs(y).max())
    least = float(np.sum(((A @ np.asarray(certified) - y) / scale) ** 2))
    # Rounding of the certified coefficients and of the scores: 1e-13 of the targets, for the powers of Filip 1e-9.
    rounding = len(y) * (1e-9 if name == "Filip" else 1e-13)
    assert float(np.sum(((model.predict(X) - y) / scale) ** 2)) <= least + 2 * rounding * np.sqrt(least) + rounding**2


@pytest.mark.parametrize("name", PROBLEMS)
def test_minimize_has_at_most_two_digits_less_than_the_normal_equation(name):
    X, y, intercept, certified, _ = rows(name)
    objective = st.LeastSquares(X, y, intercept=intercept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        closed, result = st.normal_equation(objective).w, st.minimize(objective)
    order = [*[-1] * intercept, *range(X.shape[1])]
    assert digits(result.w[order], certified) >= digits(closed[order], certified) - 2
