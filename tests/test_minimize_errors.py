"""Arguments of `minimize` that are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import steepest as st
from cases import Problem

X, Y, _ = Problem().data
BAD = {
    "batch_size": [0, -1, 1.5, "all", True],
    "max_epochs": [-1, 1.5, None],
    "max_seconds": [-1.0, math.nan, "1"],
    "evaluate_every": [0, 1.5],
    "random_state": [-1, 1.5, "seed"],
    "w0": [[0.0] * 6, np.zeros(5), np.zeros((6, 1)), np.zeros(6, np.float32), np.zeros(6, int)],
    "optimizer": ["adam", st.Adam, 0.1],
    "stop": [[0.1], [lambda: True], 5],
    "callbacks": [[None], 5],
    "validation": [(X,), (X[:, :4], Y), (X, Y[:-1]), (X.astype(np.float32), Y), (X, Y, Y, Y), "none", 5],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_arguments_are_named(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        st.minimize(Problem().objective, **{name: value})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_start_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match=r"w0.*(finite|nan|inf)"):
        st.minimize(Problem().objective, np.array([0.0, bad, 0.0, 0.0, 0.0, 0.0]))


def test_an_objective_is_needed():
    with pytest.raises(TypeError, match="objective"):
        st.minimize(lambda w: (0.0, w))


def test_early_stopping_needs_validation():
    with pytest.raises(ValueError, match=r"NoImprovement.*validation"):
        st.minimize(Problem().objective, stop=[st.stop.NoImprovement(3)])


@pytest.mark.parametrize("batch_size", [1, 10])
def test_a_function_has_no_rows_to_batch(batch_size):
    with pytest.raises(ValueError, match=r"batch_size.*Function"):
        st.minimize(st.Function(Problem().value_and_gradient, 6), batch_size=batch_size)
