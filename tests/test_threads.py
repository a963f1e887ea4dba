"""The threads that loops run on: a C++ program without Python, plain and under the sanitizers."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import steepest as st
from cases import Problem
from emulation.compile import COMPILER, ROOT, SANITIZERS, launcher, reason_without
from interpreter import python

SOURCES = [ROOT / "cpp" / "src" / "threads.cpp", Path(__file__).parent / "native" / "threads.cpp"]
FLAGS = ["-std=c++20", "-O1", "-g1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'cpp' / 'include'}", "-pthread"]

TASKS = Path("/proc/self/task")


@pytest.fixture(scope="module", params=SANITIZERS, ids=lambda name: name or "plain")
def program(request, tmp_path_factory):
    if reason := reason_without(request.param):
        pytest.skip(reason)
    program = tmp_path_factory.mktemp("threads") / "threads"
    subprocess.run([COMPILER, *FLAGS, *SANITIZERS[request.param], *SOURCES, "-o", program], check=True)
    return program


@pytest.mark.parametrize("callers", [1, 4])
def test_loops_do_each_task_once_and_end_together(program, callers):
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1"}
    environment.pop("LD_PRELOAD", None)
    command = [*launcher(), program, str(callers)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "right\n", "")


@pytest.mark.skipif(not TASKS.is_dir(), reason="no list of threads")
def test_idle_threads_sleep():
    objective, before = Problem("logistic", 20_000, 30).objective, set(TASKS.iterdir())
    with st.threads(4):
        objective.value(np.zeros(31))
    ours = set(TASKS.iterdir()) - before
    states: list[str] = []
    deadline = time.monotonic() + 10
    while states != ["S"] * len(ours) and time.monotonic() < deadline:
        time.sleep(0.01)
        states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in ours]
    assert states == ["S"] * len(ours)


ONLY_ONE = """
import os, threading
from pathlib import Path
import numpy as np
import steepest as st

def ours():
    status = [(task / "status").read_text() for task in Path("/proc/self/task").iterdir() if task not in before]
    return {line.split()[1] for text in status for line in text.splitlines() if line.startswith("Cpus_allowed_list")}

X = np.random.default_rng(0).standard_normal((20_000, 30))
objective, w = st.LeastSquares(X, X[:, 0].copy()), np.zeros(31)
before, allowed = set(Path("/proc/self/task").iterdir()), os.sched_getaffinity(0)
st.threads(2)
values = [objective.value(w)]
found = ours()
for processor in allowed:
    os.sched_setaffinity(0, {processor})
    values.append(objective.value(w))
os.sched_setaffinity(0, allowed)
values.append(objective.value(w))
assert len(set(values)) == 1
print(len(allowed), *found)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or not TASKS.is_dir(), reason="no processors to choose")
@pytest.mark.parametrize("variables", [{}, {"OMP_PROC_BIND": "true"}, {"OMP_PLACES": "cores"}], ids=str)
def test_a_helping_thread_keeps_off_its_callers_processor(variables):
    run = python(ONLY_ONE, **variables)
    assert run.returncode == 0, run.stderr
    n, *lists = run.stdout.split()
    if int(n) == 2:
        assert lists in (["0"], ["1"])


def test_loops_of_several_callers_at_once():
    problem = Problem("logistic", 20_000, 30)
    objective, w = problem.objective, np.zeros(31)
    expected, found = objective.value(w), []
    with st.threads(3):
        callers = [
            threading.Thread(target=lambda: found.extend(objective.value(w) for _ in range(20))) for _ in range(5)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert found == [expected] * 100
