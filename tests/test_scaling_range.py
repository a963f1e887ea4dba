"""Implicit standardisation of columns whose unit is near an end of the dtype's range."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st


# Against float64 columns that are standardised outright.
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("unit", [2e-39, 1e-30, 1e30, 1e37])
def test_a_column_in_units_near_the_range_of_float32(isa, unit, order):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((50, 2)) * unit, np.float32, order=order)
    y = rng.standard_normal(50).astype(np.float32)
    centre, scale, w = np.zeros(2), np.full(2, unit), np.array([2.0, -1.0, 0.5], np.float32)
    found = st.LeastSquares(X, y, centre=centre, scale=scale).value_and_gradient(w)
    exact = st.LeastSquares(X.astype(float) / unit, y.astype(float)).value_and_gradient(w.astype(float))
    assert found[0] == pytest.approx(exact[0], rel=1e-6)
    np.testing.assert_allclose(found[1], exact[1], rtol=1e-5, atol=1e-6)
