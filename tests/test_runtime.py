"""Threads, ISA levels, forks, concurrent use, and what `info` says."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import steepest as st
from cases import Problem
from interpreter import python
from steepest import _core
from steepest.runtime import own_threads

MANY = Problem("logistic", n=30_000, d=20, weighted=True, alpha=0.1)  # enough for several chunks


# Threads


@pytest.fixture(autouse=True)
def threads_as_before():
    before = _core.threads_setting()
    yield
    _core.set_threads(before)


def test_a_thread_may_have_a_number_of_its_own():
    st.threads(3)
    seen, inside, done = [], threading.Event(), threading.Event()

    def other():
        with own_threads(2):
            seen.append(st.info()["threads"])
            inside.set()
            done.wait(10)
        seen.append(st.info()["threads"])

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    assert st.info()["threads"] == 3
    with own_threads(None):
        assert st.info()["threads"] == 3
    st.threads(None)
    all_there_are = st.info()["threads"]
    st.threads(3)
    with own_threads(1), own_threads(0):
        assert st.info()["threads"] == all_there_are
    st.threads(4)
    done.set()
    thread.join()
    assert seen == [2, 4]
    assert st.info()["threads"] == 4
    st.threads(None)


def test_threads_at_once():
    st.threads(3)
    assert st.info()["threads"] == 3
    st.threads(1)
    assert st.info()["threads"] == 1
    st.threads(None)
    assert st.info()["threads"] >= 1


def test_threads_for_a_block():
    st.threads(2)
    with st.threads(5):
        assert st.info()["threads"] == 5
        with st.threads(3):
            assert st.info()["threads"] == 3
        assert st.info()["threads"] == 5
    assert st.info()["threads"] == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_blocks_that_overlap_bring_back_what_was_before_all(order):
    st.threads(7)
    blocks = [st.threads(n) for n in (2, 3, 4)]
    for block in blocks:
        block.__enter__()
    open_blocks = [2, 3, 4]
    for place in order:
        blocks[place].__exit__(None, None, None)
        open_blocks.remove(place + 2)
        assert _core.threads_setting() == (open_blocks or [7])[-1]


def test_one_setting_may_have_several_blocks():
    st.threads(7)
    setting = st.threads(2)
    for before in (7, 5):
        with setting:
            assert _core.threads_setting() == 2
        assert _core.threads_setting() == before
        st.threads(5)


def test_threads_come_back_after_an_error():
    st.threads(2)
    with pytest.raises(ZeroDivisionError), st.threads(4):
        1 / 0  # noqa: B018
    assert st.info()["threads"] == 2


@pytest.mark.parametrize("n", [0, -1, 1.5, "two", True, np.float64(2.0), 10**12])
def test_bad_threads_are_named(n):
    st.threads(2)
    with pytest.raises((TypeError, ValueError), match=r"^n(_threads)? must be an integer") as raised:
        st.threads(n)
    assert str(n) in str(raised.value)
    assert st.info()["threads"] == 2


def test_a_numpy_integer_will_do():
    st.threads(np.int64(3))
    assert st.info()["threads"] == 3


HUGE = """
import numpy as np
import steepest as st
w = np.zeros(1_000_000)
try:
    st.threads(100_000)
except ValueError as error:
    assert "100000" in str(error)
st.Adam().step(w, w + 1)
print(w[0])
"""


@pytest.mark.skipif(not _core.built_with_openmp(), reason="built without OpenMP")
def test_a_huge_number_of_threads_does_not_crash():
    run = python(HUGE)
    assert (run.returncode, run.stdout.strip()) == (0, "-0.0009999999900000003"), run.stderr


@pytest.mark.skipif(not _core.built_with_openmp(), reason="built without OpenMP")
def test_limits_of_threadpoolctl_hold():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    MANY.objective.value(MANY.w0)
    assert any(pool["user_api"] == "openmp" for pool in threadpoolctl.threadpool_info())
    st.threads(None)
    before = st.info()["threads"]
    for setting in (None, 2):
        st.threads(setting)
        with threadpoolctl.threadpool_limits(1, user_api="openmp"):
            assert st.info()["threads"] == (1 if before > 1 else setting or 1)
    st.threads(None)
    assert st.info()["threads"] == before


# Settings from outside


def test_info():
    info = st.info()
    assert list(info) == ["version", "isa_built", "isa_supported", "isa", "threads", "openmp", "cuda"]
    assert info["version"] == st.__version__
    assert set(info["isa_supported"]) <= set(info["isa_built"])
    assert info["isa"] in info["isa_supported"]
    assert re.match(r"not available: .|.* \(compute capability \d+\.\d, .* GiB\)", info["cuda"])
    assert isinstance(info["openmp"], bool)
    lines = str(info).splitlines()
    assert [line.split()[0] for line in lines] == list(info)
    assert ", ".join(info["isa_built"]) in lines[1]


def test_the_best_level_is_chosen():
    run = python("import os; os.environ.pop('STEEPEST_ISA', None); import steepest as st; print(st.info()['isa'])")
    assert (run.returncode, run.stdout.strip()) == (0, _core.isa_levels_supported()[-1]), run.stderr


@pytest.mark.parametrize("level", _core.isa_levels_supported())
def test_isa_from_the_environment(level):
    run = python("import steepest as st; print(st.info()['isa'])", STEEPEST_ISA=level)
    assert (run.returncode, run.stdout.strip()) == (0, level), run.stderr


@pytest.mark.parametrize("level", ["x86-64-v9", "avx512", "", "X86-64-V3"])
def test_an_unknown_isa_is_an_error_at_import(level):
    run = python("import steepest", STEEPEST_ISA=level)
    message = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert message.startswith("ImportError: STEEPEST_ISA must be one of")
    assert message.endswith(f"got '{level}'")
    assert all(supported in message for supported in _core.isa_levels_supported())


def test_an_unknown_level_leaves_the_chosen_one(isa):
    with pytest.raises(RuntimeError, match=r"^STEEPEST_ISA must be one of .*, got 'fast'"):
        _core.choose_isa_level("fast")
    assert _core.isa_level() == isa


@pytest.mark.parametrize("text", ["1", "3", " 2 "])
def test_threads_from_the_environment(text):
    run = python("import steepest as st; print(st.info()['threads'])", STEEPEST_NUM_THREADS=text)
    assert (run.returncode, run.stdout.strip()) == (0, text.strip()), run.stderr


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "99999999999"])
def test_bad_threads_from_the_environment_are_named(text):
    run = python("import steepest", STEEPEST_NUM_THREADS=text)
    message = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert message.startswith("ValueError: STEEPEST_NUM_THREADS must be an integer")
    assert repr(text) in message


# Forks

FORK = """
import multiprocessing, os, signal, sys
import numpy as np
import steepest as st

rng = np.random.default_rng(0)
X, y = rng.standard_normal((30_000, 20)), (rng.random(30_000) < 0.5).astype(float)
objective = st.Logistic(X, y)

def compute():
    w, optimizer = np.zeros(200_000), st.Adam()
    optimizer.step(w, np.cos(np.arange(200_000)))
    value, gradient = objective.value_and_gradient(np.ones(21))
    result = st.minimize(objective, batch_size=5000, max_epochs=2, random_state=0)
    return value, gradient.tobytes(), objective.hessian(np.ones(21)).tobytes(), result.w.tobytes(), w.tobytes()

def answer(queue):
    queue.put((compute(), st.info()["threads"]))

st.threads(4)
before = compute()
if sys.argv[1] == "os.fork":
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        same = compute() == before and st.info()["threads"] == 1
        st.threads(2)
        os._exit(0 if same and compute() == before else 1)
    assert os.waitpid(child, 0)[1] == 0
else:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=answer, args=(queue,)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [queue.get(timeout=20) for _ in processes] == [(before, 1)] * 3
    for process in processes:
        process.join(20)
assert compute() == before and st.info()["threads"] == 4  # the parent goes on with its threads
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("way", ["os.fork", "multiprocessing"])
def test_a_forked_child_computes_the_same(way):
    run = python(FORK, way)
    assert (run.returncode, run.stdout.strip()) == (0, "same"), run.stderr


# Several Python threads at once


def test_concurrent_use_gives_the_same_bits():
    objective, w = MANY.objective, MANY.w0

    def work(seed):
        value, gradient = objective.value_and_gradient(w * seed)
        result = st.minimize(objective, w, st.Adam(0.01 * seed), batch_size=4096, max_epochs=3, random_state=seed)
        return value, gradient.tobytes(), objective.hessian_product(w, w).tobytes(), result.path, result.w.tobytes()

    alone = [work(seed) for seed in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(work, range(1, 5))) == alone
