"""An epsilon of 0, or below what the type holds: 0 / 0 is a step of 0, by the rule of the docs of `scaled_rate`."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st


@pytest.mark.parametrize("make", [st.Adam, st.RMSProp, st.AdaGrad])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("epsilon", [0.0, 1e-44, 5e-324])
def test_a_zero_gradient_moves_nothing(make, dtype, epsilon):
    w, gradient = np.full(70, 2, dtype), np.zeros(70, dtype)
    gradient[1] = 1
    optimizer = make(0.1, epsilon=epsilon)
    for _ in range(2):
        optimizer.step(w, gradient)
    assert np.isfinite(w).all()
    assert w[1] < 2
    assert (np.delete(w, 1) == 2).all()


@pytest.mark.parametrize("make", [st.Adam, st.RMSProp, st.AdaGrad])
def test_a_nan_stays_one(make):
    w = np.ones(3)
    make(0.1, epsilon=0.0).step(w, np.array([np.nan, 1.0, 0.0]))
    assert np.isnan(w[0])
    assert np.isfinite(w[1:]).all()
