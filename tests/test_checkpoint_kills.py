"""Runs in a process that is killed at random instants and started again, until one of them ends.

No handler and no ``finally`` runs after SIGKILL. What the file system holds then is what a checkpoint is made for.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import steepest as st
from checkpoints import assert_same_bits
from steepest.descent import run as run_module

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")

_SECONDS = 60.0  # for a process to get ready, or to end


def dense(n, d, classes=2):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, np.argmax(X @ rng.standard_normal((d, classes)) + rng.gumbel(size=(n, classes)), axis=1).astype(float)


def mini_batches():
    return st.Logistic(*dense(300, 8), alpha=0.01), st.Adam(0.01), {"batch_size": 4, "max_epochs": 60}


def automatic():
    return st.Softmax(*dense(200, 5, 3), alpha=0.01), st.Momentum("auto"), {"max_epochs": 90}


def sparse_rows():
    from test_sparse_steps import rows_of

    X = rows_of()
    y = (np.arange(X.shape[0]) % 3 == 0).astype(float)
    rule = st.Momentum(st.schedules.InverseTimeDecay(0.05, 0.01))
    return st.Logistic(X, y, alpha=0.001), rule, {"batch_size": 1, "max_epochs": 40, "evaluate_every": 3}


def quasi_newton():
    objective = st.Logistic(*dense(3000, 40), alpha=0.004, l1_ratio=1.0)
    return objective, st.QuasiNewton(), {"stop": [], "max_epochs": 60}


def early_stopping():
    X, y = dense(300, 8)
    options = {"validation": (X[:100] + 1.0, y[:100]), "stop": [st.stop.NoImprovement(300)], "max_epochs": 60}
    return st.Logistic(X, y), st.RMSProp(0.02), {"batch_size": 9, **options}


def run(problem, callbacks=(), **options):
    objective, optimizer, own = globals()[problem]()
    return st.minimize(objective, optimizer=optimizer, random_state=5, diagnose=False, callbacks=callbacks,
                       **own, **options)  # fmt: skip


def arrays_of(result):
    history = {name: each for name, each in result.history.items() if name != "seconds"}
    ends = np.array([result.value, result.n_epochs, result.n_steps])
    return {"w": result.w, "ends": ends, "reason": np.array(result.stop_reason), **history}


def child(problem, checkpoint, out):
    """A process: it says that it is ready, and runs, slowly and in short slices."""
    run_module._BLOCK_STEPS = 17
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    result = run(problem, [lambda progress: time.sleep(0.004)], checkpoint=checkpoint, checkpoint_seconds=0)
    np.savez(out, **arrays_of(result))


def started(problem, checkpoint, out):
    code = "import sys; import test_checkpoint_kills as own; own.child(*sys.argv[1:])"
    places = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", code, problem, str(checkpoint), str(out)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": places},
    )
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], _SECONDS)[0], "the process does not get ready"
    assert process.stdout.readline() == b"ready\n"
    return process


def kill_and_finish(problem, kills, folder, seed):
    """Kill a run so many times, and let it end. Return how many of the kills came before its end."""
    random_instants, checkpoint, out = random.Random(seed), folder / "run.steepest", folder / "out.npz"
    early = 0
    for _ in range(kills):
        process = started(problem, checkpoint, out)
        time.sleep(random_instants.uniform(0.0, 0.08))
        process.kill()
        assert process.wait(_SECONDS) in (0, -signal.SIGKILL)
        process.stdout.close()
        early += not out.exists()
    process = started(problem, checkpoint, out)
    assert process.wait(_SECONDS) == 0
    process.stdout.close()
    found, expected = dict(np.load(out)), arrays_of(run(problem))
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert_same_bits(found[name], array)
    return early


def test_a_run_that_is_killed_five_times_ends_with_the_same_bits(tmp_path):
    assert kill_and_finish("sparse_rows", 5, tmp_path, seed=1) == 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("problem", ["mini_batches", "automatic", "sparse_rows", "quasi_newton", "early_stopping"])
def test_runs_that_are_killed_end_with_the_same_bits(problem, seed, tmp_path):
    """With the fast test, 50 kills. The last ones may come after the end of a short run, whose result is then read."""
    assert kill_and_finish(problem, 3, tmp_path, seed=10 * seed) >= 1
