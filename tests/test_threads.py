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

SOURCES = [ROOT / "cpp" / "engine" / "threads.cpp", Path(__file__).parent / "native" / "threads.cpp"]
FLAGS = ["-std=c++20", "-O1", "-g1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}", "-pthread"]

TASKS = Path("/proc/self/task")


@pytest.fixture(scope="module", params=SANITIZERS, ids=lambda name: name or "plain")
def program(request, tmp_path_factory):
    if reason := reason_without(request.param):
        pytest.skip(reason)
    program = tmp_path_factory.mktemp("threads") / "threads"
    subprocess.run([COMPILER, *FLAGS, *SANITIZERS[request.param], *SOURCES, "-o", program], check=True)
    return program


@pytest.mark.slow
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


HELPERS = """
import os
from pathlib import Path
allowed = os.sched_getaffinity(0)  # before OpenMP may bind this thread
import numpy as np
import steepest as st

def threads():
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}

X = np.random.default_rng(0).standard_normal((20_000, 30))
objective, w, before = st.LeastSquares(X, X[:, 0].copy()), np.zeros(31), threads()
st.threads(2)
values = [objective.value(w)]
helpers = threads() - before
print(len(allowed), len(helpers), *(len(os.sched_getaffinity(helper) & allowed) for helper in helpers))
for processors in [*({processor} for processor in allowed), allowed]:
    os.sched_setaffinity(0, processors)
    values.append(objective.value(w))
assert len(set(values)) == 1
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or not TASKS.is_dir(), reason="no processors to choose")
@pytest.mark.parametrize("variables", [{}, {"OMP_PROC_BIND": "true"}, {"OMP_PLACES": "cores"}], ids=str)
def test_a_helping_thread_keeps_off_its_callers_processor(variables):
    run = python(HELPERS, **variables)
    assert run.returncode == 0, run.stderr
    allowed, helpers, *processors = map(int, run.stdout.split())
    assert (helpers, processors) == ((1, [allowed - 1]) if allowed > 1 else (0, []))


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


def test_blocks_of_one_object_within_each_other_end_once() -> None:
    before = st._core.threads_setting()
    limit = st.threads(2)
    with limit:
        with limit:
            assert st._core.threads_setting() == 2
        assert st._core.threads_setting() == 2
    assert st._core.threads_setting() == before
    limit.__exit__(None, None, None)
    assert st._core.threads_setting() == before
