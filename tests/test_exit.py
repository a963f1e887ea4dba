"""The interpreter's end while a daemon thread is in native code: exit code 0, and nothing on stderr."""

from __future__ import annotations

import re

import pytest

from interpreter import python

EXIT = """
import sys, threading, time, warnings
import numpy as np
import steepest as st

warnings.simplefilter("ignore")
X = np.random.default_rng(0).random((200_000, 20), np.float32)
objective = st.Logistic(X, (X[:, 0] > 0.5).astype(np.float32))
w, gradient, right = np.zeros(21, np.float32), np.ones(1_000_000, np.float32), np.ones(1000)
optimizer, factor = st.Adam(1e-3), st._core.Cholesky(np.eye(1000), 0.0)
cases = {
    "gradient": lambda: objective.value_and_gradient(w),
    "minimize": lambda: st.minimize(objective, optimizer=st.Adam(0.01), max_epochs=100),
    "step": lambda: optimizer.step(np.ones_like(gradient), gradient),
    "solve": lambda: factor.solve(right),
    "read": lambda: st._core.read_sum(X),
}
work, started = cases[sys.argv[1]], threading.Event()

def forever():
    started.set()
    while True:
        work()

threading.Thread(target=forever, daemon=True).start()
started.wait()
time.sleep(0.1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", re.findall(r'^    "(.+?)": lambda', EXIT, re.MULTILINE))
def test_a_daemon_thread_in_a_kernel(case):
    for _ in range(10 if case == "gradient" else 3):
        run = python(EXIT, case)
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
