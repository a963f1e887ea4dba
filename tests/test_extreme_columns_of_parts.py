"""Columns and targets in parts whose squares are beyond float64 lose no digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import steepest as st
from steepest.objectives import column_statistics
from steepest.objectives.columns import Columns

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4)) + 0.5
WEIGHT = RNG.uniform(0.5, 2.0, 300) * (RNG.random(300) > 0.1)
UNITS = np.array([1.0, 2.0**-530, 2.0**-700, 2.0**600])  # powers of two: columns in these units have the same digits


def rows_of(kind):
    given = np.where(np.abs(X) < 0.4, 0.0, X) * UNITS
    if kind == "table":
        return given, st.Table(given[:, :2].copy(), sparse.csr_array(given[:, 2:]))
    return given, {"rows": given, "columns": np.asfortranarray(given), "sparse": sparse.csr_array(given)}[kind]


@pytest.mark.parametrize("kind", ["rows", "columns", "sparse", "table"])
@pytest.mark.parametrize("weighted", [False, True])
def test_statistics_of_columns_in_any_unit(kind, weighted):
    """Those of the same columns in units near 1, times the units."""
    given, rows = rows_of(kind)
    weight = WEIGHT if weighted else None
    mean, deviation = column_statistics(rows, weight)
    near = given / UNITS
    np.testing.assert_allclose(mean / UNITS, np.average(near, axis=0, weights=weight), rtol=1e-13)
    spread = np.average((near - np.average(near, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(deviation / UNITS, np.sqrt(spread), rtol=1e-13)


def test_columns_without_a_deviation_stay_so():
    """Constant ones of any size, zeros, and those that only rows of weight 0 vary."""
    given = np.tile([0.0, 1e-200, 3.0, -1e200], (50, 1))
    given[7] = 1e-180
    weight = np.ones(50)
    weight[7] = 0.0
    mean, deviation = column_statistics(given, weight)
    assert deviation.tolist() == [0.0] * 4
    assert mean.tolist() == given[0].tolist()
    nan = column_statistics(np.where(np.arange(50)[:, None] == 3, np.nan, given))[1]
    assert np.isnan(nan).all()


def test_statistics_of_two_sets_in_any_unit():
    whole = Columns.of(X * UNITS, None)
    added = Columns.of(X[:70] * UNITS, None).with_more(Columns.of(X[70:] * UNITS, None))
    np.testing.assert_allclose(added.mean / UNITS, X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(added.deviation / UNITS, X.std(axis=0), rtol=1e-13)
    np.testing.assert_allclose(whole.deviation / UNITS, X.std(axis=0), rtol=1e-13)


@pytest.mark.parametrize("model", [st.LinearRegressor, st.LogisticClassifier])
def test_standardised_fits_of_parts_in_any_unit(model):
    y = X @ [1.0, -2.0, 0.5, 1.0] + RNG.standard_normal(300)
    y = y if model is st.LinearRegressor else (y > 0).astype(float)
    stream = st.open_stream([(X * UNITS, y)], part_rows=80)
    found, expected = model(standardize=True).fit(stream), model(standardize=True).fit(X, y)
    np.testing.assert_allclose(np.ravel(found.coef_) * UNITS, np.ravel(expected.coef_), rtol=1e-6)


@pytest.mark.parametrize("power", [-600, 600])
def test_scores_of_targets_in_any_unit(power):
    y = X @ [1.0, -2.0, 0.5, 1.0] + RNG.standard_normal(300)
    wrong = np.ldexp(y + RNG.standard_normal(300), power)
    model = st.LinearRegressor().fit(st.open_stream([(X, np.ldexp(y, power))], part_rows=80))
    expected = st.LinearRegressor().fit(X, y)
    np.testing.assert_allclose(np.ldexp(model.coef_, -power), expected.coef_, rtol=1e-9)
    found = model.score(st.open_stream([(X, wrong, WEIGHT)], part_rows=80))
    assert found == pytest.approx(expected.score(X, np.ldexp(wrong, -power), WEIGHT), rel=1e-9)
