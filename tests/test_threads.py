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

SOURCES = [ROOT / "cpp" / "src" / "threads.cpp", Path(__file__).parent / "native" / "threads.cpp"]
FLAGS = ["-std=c++20", "-O1", "-g1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'cpp' / 'include'}", "-pthread"]


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


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no list of threads")
def test_idle_threads_sleep():
    def states():
        for task in Path("/proc/self/task").iterdir():
            if int(task.name) != threading.get_native_id():
                yield (task / "stat").read_text().rpartition(")")[2].split()[0]

    objective = Problem("logistic", 20_000, 30).objective
    with st.threads(4):
        objective.value(np.zeros(31))
        deadline = time.monotonic() + 10
        while set(states()) != {"S"} and time.monotonic() < deadline:
            time.sleep(0.01)
        found = list(states())
    assert len(found) >= 3
    assert set(found) == {"S"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processors to choose")
def test_threads_run_where_their_caller_may():
    objective, allowed = Problem("logistic", 20_000, 30).objective, os.sched_getaffinity(0)
    expected = objective.value(np.zeros(31))
    found = []

    def call(processors):
        os.sched_setaffinity(0, processors)  # of the thread
        with st.threads(3):
            found.append(objective.value(np.zeros(31)))

    for processors in ({min(allowed)}, {max(allowed)}, allowed):
        thread = threading.Thread(target=call, args=(processors,))
        thread.start()
        thread.join()
    assert found == [expected] * 3
    assert os.sched_getaffinity(0) == allowed
