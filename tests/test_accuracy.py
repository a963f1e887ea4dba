"""Promises about big data: float32 sums that keep their digits, and little memory beyond X."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from cases import LOSSES, each_loss
from interpreter import SANITIZED, python

ROWS = 20_000_000
FEW = 200_000
BLOCK = 500_000


@pytest.fixture(scope="module")
def big():
    """20M x 4 in F order, not centred: the partial sums are long and of one sign."""
    rng = np.random.default_rng(0)
    columns = np.empty((4, ROWS), np.float32)
    rng.random(out=columns, dtype=np.float32)
    return columns.T, (rng.random(ROWS, dtype=np.float32) < 0.3).astype(np.float32)


def relative_errors(loss, X, y):
    """Of the gradient in C order and in F order."""
    objective, reference = LOSSES[loss][:2]
    w, expected = np.array([0.3, -0.2, 0.5, 0.1, -0.4], np.float32), np.zeros(5)
    for first in range(0, len(y), BLOCK):
        rows = slice(first, first + BLOCK)
        expected += reference(X[rows], y[rows], w)[1] * (len(y[rows]) / len(y))
    for order in ("C", "F"):
        gradient = objective(np.asarray(X, order=order), y).gradient(w)
        yield np.linalg.norm(gradient - expected) / np.linalg.norm(expected)


@pytest.mark.slow
@each_loss
def test_float32_keeps_its_digits_at_20_million_rows(big, loss):
    X, y = big
    few = list(relative_errors(loss, X[:FEW], y[:FEW]))
    many = list(relative_errors(loss, X, y))
    assert max(few) < 1e-6
    assert max(many) < 1e-6
    assert max(many) < 2 * max(few) + 1e-7


MEMORY = """
import re, sys
import numpy as np
import steepest as st

def status(name):
    return 1024 * int(re.search(rf"{name}:\\s+(\\d+)", open("/proc/self/status").read())[1])

def fit(loss, X, y, weight, optimizer):
    objective = getattr(st, loss)(X, y, sample_weight=weight)
    objective.value_and_gradient(np.zeros(objective.n_parameters, X.dtype))
    for batch_size in (256, None)[optimizer == "QuasiNewton" :]:
        chosen = getattr(st, optimizer)()
        st.minimize(objective, None, chosen, batch_size=batch_size, max_epochs=2, random_state=0, diagnose=False)

loss, rows, columns, order, optimizer = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
X = np.zeros((rows, columns), np.float32, order)
np.random.default_rng(0).random(out=X if order == "C" else X.T, dtype=np.float32)
y = (X[:, 0] > 0.5).astype(np.float32)
weight = X[:, 1] + np.float32(1)
fit(loss, X[:1000].copy(), y[:1000].copy(), weight[:1000].copy(), optimizer)
open("/proc/self/clear_refs", "w").write("5")  # the peak starts again from here
before = status("VmRSS")
fit(loss, X, y, weight, optimizer)
print((status("VmHWM") - before) / X.nbytes)
"""


# QuasiNewton copies a sample of at most a twentieth of the rows, with their numbers.
@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "share"), [("Adam", 0.05), ("QuasiNewton", 0.16)])
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.skipif(SANITIZED, reason="the sanitizer takes memory of its own")
@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        ("LeastSquares", (1_000_000, 100, "C")),
        ("Logistic", (1_000_000, 100, "F")),
        ("Logistic", (8_000, 10_000, "C")),
        ("Logistic", (5_000_000, 4, "C")),
    ],
)
def test_a_fit_needs_little_memory_beyond_the_data(loss, shape, optimizer, share):
    run = python(MEMORY, loss, *shape, optimizer)
    if "clear_refs" in run.stderr:
        pytest.skip("the peak of memory cannot be reset: " + run.stderr.splitlines()[-1])
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < share
