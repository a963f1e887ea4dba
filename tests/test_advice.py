"""The report that a curvature prints."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import steepest as st
from quadratics import quadratic, rotated
from steepest.analysis.report import about


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7, "about 7"),
        (2867, "about 2,900"),
        (999_999, "about 1 million"),
        (2.21e6, "about 2.2 million"),
        (9.454e11, "about 950 billion"),
        (1.64e13, "about 16 trillion"),
        (3e17, "about 300,000 trillion"),
        (math.inf, "endless"),
    ],
)
def test_counts_in_words(number, text):
    assert about(number) == text


def test_the_report_of_a_well_conditioned_minimum():
    report = str(st.curvature(quadratic(np.diag([1.0, 4.0])), np.zeros(2)))
    assert report.splitlines()[0].startswith("Curvature at w: 2 parameters, a minimum (|gradient| 0, zero up to")
    for line in (
        "eigenvalues          1 to 4 (all by LAPACK)",
        "condition number     4",
        "learning rate        below 0.5; best 0.4, or 0.444 with momentum 0.111111",
        "plain descent 28, heavy ball 13, accelerated 20",
        "condition number 4: descent converges fast with a learning rate of 0.4",
    ):
        assert line in report


def test_the_advice_on_unlike_columns():
    rng = np.random.default_rng(0)
    scales = np.ones(20)
    scales[[3, 17]] = 1e4, 1e-2
    X = rng.standard_normal((300, 20)) * scales
    report = str(st.curvature(st.LeastSquares(X, rng.standard_normal(300)), np.zeros(21)))
    found = re.search(r"descent needs about (.*) steps; standardise the features \((.*)\): that leaves a (.*)", report)
    assert found
    assert float(found[1].split()[0]) > 0
    assert found[2] == "columns 3, 17; scales differ by 1e6"
    assert float(found[3].split()[-1]) < 5


def test_the_advice_on_correlated_columns():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4)) * 0.01 + rng.standard_normal((300, 1))
    c = st.curvature(st.LeastSquares(X, rng.standard_normal(300)), np.zeros(5))
    assert f"st.Momentum({c.best_momentum_learning_rate:.3g}, momentum={c.best_momentum:.6g}) needs about" in str(c)
    assert "the features are correlated, so standardising them would help little" in str(c)


def test_the_advice_on_flat_directions():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    X = np.column_stack([X, X[:, 1], np.zeros(60)])
    report = str(st.curvature(st.LeastSquares(X, X[:, 0].copy()), np.zeros(6)))
    assert "without 2 flat directions" in report
    assert "2 flat directions (among parameters 1, 3, 4)" in report


@pytest.mark.parametrize(
    ("eigenvalues", "text"),
    [
        (
            [-1.0, 2.0],
            "the curvature is negative (-1) in one direction: descent leads away from here; step along",
        ),
        ([0.0, 0.0], "the curvature is zero here"),
    ],
)
def test_the_advice_where_there_is_no_minimum(eigenvalues, text):
    report = str(st.curvature(quadratic(rotated(eigenvalues)), np.zeros(2)))
    assert text in report
    assert "steps to" not in report


def test_the_report_of_lanczos():
    pytest.importorskip("scipy")
    report = str(st.curvature(quadratic(rotated(np.geomspace(1, 1e3, 40))), np.ones(40), method="lanczos"))
    assert "(the extremes by Lanczos)" in report
    assert re.search(r"condition number     1e\+03\n", report)
    report = str(st.curvature(quadratic(rotated([0.0, 0.0, *range(1, 39)])), np.ones(40), method="lanczos"))
    assert "more than Lanczos can tell" in report
    assert "there are flat directions" in report
