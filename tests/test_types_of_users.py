"""mypy, strict, over a file that a user might write: fits and results have types."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import steepest as st

USER = """
from typing import Any

import numpy as np
import steepest as st
from numpy.typing import NDArray

X, y = np.ones((4, 2)), np.ones(4)
objective = st.LeastSquares(X, y)
result = st.minimize(objective, optimizer=st.GradientDescent(0.1))
reveal_type(result)
reveal_type(result.w)
w: NDArray[Any] = result.w.round(3)
model = st.LogisticClassifier(max_iter=5)
reveal_type(model.fit(X, y))
reveal_type(st.LinearRegressor().fit(X, y).partial_fit(X, y))
reveal_type(model.predict(X))
reveal_type(st.find_learning_rate(objective, st.Adam()).suggestion)
reveal_type(st.__version__)
"""
MISTAKES = """
import numpy as np
import steepest as st

st.minimise  # line 5
st.minimize(st.Logistic(np.ones((2, 1)), np.ones(2)), max_epoch=3)  # line 6
st.Adam(beta1="high")  # line 7
st.LogisticClassifier(max_iter="many")  # line 8
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed"),
]


def check(text, folder):
    """What mypy says about a file."""
    file = folder / "user.py"
    file.write_text(text)
    source = Path(st.__file__).parents[1]  # mypy finds an installed package by itself, and refuses this path to it
    environment = {**os.environ, "MYPYPATH": "" if source.name == "site-packages" else str(source)}
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-error-summary",
            "--cache-dir",
            str(folder / "cache"),
            str(file),
        ],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    return [
        line.partition("user.py:")[2]
        for line in run.stdout.splitlines()
        if "user.py:" in line and ": note: See" not in line
    ]


def test_what_a_user_gets_has_types(tmp_path):
    told = [line.partition("Revealed type is ")[2].strip('"') for line in check(USER, tmp_path)]
    ends = [
        "Result",
        "ndarray[tuple[Any, ...], numpy.dtype[Any]]",
        "LogisticClassifier",
        "LinearRegressor",
        "ndarray[tuple[Any, ...], numpy.dtype[Any]]",
        "float",
        "str",
    ]
    assert len(told) == len(ends), told
    for said, end in zip(told, ends, strict=True):
        assert said.endswith(end), told


def test_mistakes_are_found(tmp_path):
    told = check(MISTAKES, tmp_path)
    assert [int(line.partition(":")[0]) for line in told if ": error:" in line] == [5, 6, 7, 8], told
