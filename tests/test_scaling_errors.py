"""Bad scalings, coefficients and arguments of the statistics: the error names them, what was expected and what came."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cases import LOSSES, Problem, each_loss
from steepest.objectives.scaling import column_statistics, unscaled

BAD = {
    "centre": {
        "a list": ([0.0] * 5, TypeError, r"float64 array of shape \(5,\).*list"),
        "missing": (None, ValueError, r"given if scale is.*None"),
        "of float32": (np.zeros(5, np.float32), TypeError, r"float64.*float32"),
        "too short": (np.zeros(4), ValueError, r"\(5,\).*\(4,\)"),
        "with strides": (np.zeros(10)[::2], ValueError, r"contiguous.*strides"),
        "with nan": (np.array([0, 0, math.nan, 0, 0]), ValueError, r"finite.*nan.*2"),
        "with infinity": (np.array([0, 0, 0, math.inf, 0]), ValueError, r"finite.*inf.*3"),
    },
    "scale": {
        "a number": (1.0, TypeError, r"\(5,\).*1\.0"),
        "missing": (None, ValueError, r"given if centre is.*None"),
        "too long": (np.ones(6), ValueError, r"\(5,\).*\(6,\)"),
        "with nan": (np.array([1, 1, math.nan, 1, 1]), ValueError, r"finite.*nan.*2"),
        "with zero": (np.array([1.0, 0, 1, 1, 1]), ValueError, r"above 0.*0\.0 at index 1"),
        "below zero": (np.array([1.0, 1, 1, 1, -2]), ValueError, r"above 0.*-2\.0 at index 4"),
        "subnormal": (np.array([1.0, 1, 1e-310, 1, 1]), ValueError, r"at least 2\.23e-308.*1e-310 at index 2"),
    },
}


@each_loss
@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in BAD.items() for case in cases])
def test_bad_scalings_are_named(loss, name, case):
    bad, error, message = BAD[name][case]
    X, y, _ = Problem(loss).data
    with pytest.raises(error, match=rf"^{name} must .*{message}"):
        LOSSES[loss][0](X, y, **{"centre": np.zeros(5), "scale": np.ones(5), name: bad})
    if bad is not None:
        with pytest.raises(error, match=rf"^{name} must "):
            unscaled(np.zeros(5), **{"centre": np.zeros(5), "scale": np.ones(5), name: bad})


def test_bad_coefficients_are_named():
    for bad in (np.zeros((5, 1)), np.zeros(5, int)):
        with pytest.raises(ValueError, match=r"^w must be a float array of shape"):
            unscaled(bad, np.zeros(5), np.ones(5))
    with pytest.raises(TypeError, match=r"^intercept must be a finite number"):
        unscaled(np.zeros(5), np.zeros(5), np.ones(5), intercept=None)


X = np.ones((4, 3))
BAD_STATISTICS = {
    "a list": ({"X": X.tolist()}, TypeError, r"^X must .*NumPy array.*list"),
    "of integers": ({"X": X.astype(int)}, TypeError, r"^X must .*float64.*int64"),
    "of one dimension": ({"X": X[0]}, ValueError, r"^X must .*two dimensions.*\(3,\)"),
    "without rows": ({"X": X[:0]}, ValueError, r"^X must have at least one row.*\(0, 3\)"),
    "with strides": ({"X": X[:, ::2]}, ValueError, r"^X must .*contiguous.*strides"),
    "weights too short": ({"X": X, "sample_weight": np.ones(3)}, ValueError, r"^sample_weight must .*\(4,\).*\(3,\)"),
    "weights of float32": ({"X": X, "sample_weight": np.ones(4, "f4")}, TypeError, r"^sample_weight must .*float32"),
    "weights of 0": ({"X": X, "sample_weight": np.zeros(4)}, ValueError, r"^sample_weight must .*positive.*0"),
    "a weight below 0": ({"X": X, "sample_weight": -np.ones(4)}, ValueError, r"^sample_weight must be at least 0.*-1"),
}


@pytest.mark.parametrize("case", BAD_STATISTICS)
def test_bad_arguments_of_the_statistics_are_named(case):
    arguments, error, message = BAD_STATISTICS[case]
    with pytest.raises(error, match=message):
        column_statistics(**arguments)
