"""A program that `mpirun` starts for test_mpi.py: it runs cases on every rank, and each rank writes down what it found.

Usage: mpi_program.py FOLDER CASE...
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import steepest as st
from steepest.objectives.parts import Parts

N, D, PART_ROWS = 1003, 6, 100
CUTS = [0, 10, 140, 141, 500, 777, N]


def data(sparse=False, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(N, D))
    y = (X @ np.linspace(-1, 1, D) + random.normal(size=N) > 0).astype(np.float64)
    weight = random.integers(0, 3, N).astype(np.float64)
    if sparse:
        X[np.abs(X) < 0.7] = 0.0
        return sp.csr_array(X), y, weight
    return X, y, weight


def blocks(arrays, cuts):
    """The rows between neighbouring cuts."""
    return [tuple(each[a:b] for each in arrays) for a, b in itertools.pairwise(cuts)]


def by_rows(arrays):
    """Parts of this rank's rows, cut by their number; without ranks, in this process."""
    if COMM is None:
        return in_process(blocks(arrays, [*range(0, N, PART_ROWS), N]))
    mine = mpi.rows(N, part_rows=PART_ROWS)
    return mpi.parts(*(each[mine] for each in arrays), part_rows=PART_ROWS)


def by_list(arrays):
    """Parts of unlike sizes, which ranks share out unevenly: the last rank has most, and the first may have none."""
    each = blocks(arrays, CUTS)
    if COMM is None:
        return in_process(each)
    ends = [len(each) * rank**2 // COMM.size**2 for rank in (COMM.rank, COMM.rank + 1)]
    return mpi.parts(each[slice(*ends)])


def by_stream(arrays):
    """Parts that each rank reads anew for every pass."""
    if COMM is None:
        return by_rows(arrays)
    mine = mpi.rows(N, part_rows=PART_ROWS)
    return mpi.parts(st.open_stream([tuple(each[mine] for each in arrays)], part_rows=PART_ROWS))


def in_process(each):
    from steepest.arrays.sparse import csr_view

    return Parts.of([(csr_view(part[0]) if sp.issparse(part[0]) else part[0], *part[1:]) for part in each])


def told(result):
    """What all ranks and every number of them must have alike."""
    history = {name: column for name, column in result.history.items() if name != "seconds"}
    digest = hashlib.sha256(result.w.tobytes())
    for column in history.values():
        digest.update(column.tobytes())
    return [
        digest.hexdigest(),
        result.value,
        result.n_steps,
        result.n_epochs,
        result.stop_reason,
        str(result.diagnosis),
    ]


def error_of(call):
    try:
        call()
    except BaseException as error:
        return [type(error).__name__, str(error), getattr(error, "__notes__", [])]
    return None


BITS = {
    "quasi-newton": lambda: st.minimize(st.Logistic(by_rows(data()), alpha=0.01)),
    "parts as given": lambda: st.minimize(st.Logistic(by_list(data()), alpha=0.01)),
    "adam": lambda: st.minimize(st.Logistic(by_rows(data()), alpha=0.01), optimizer=st.Adam(0.1), max_epochs=30),
    "l1": lambda: st.minimize(st.LeastSquares(by_list(data()), alpha=0.05, l1_ratio=0.8)),
    "stream": lambda: st.minimize(st.Logistic(by_stream(data()), alpha=0.01)),
    "mini-batches of a stream": lambda: st.minimize(
        st.Logistic(by_stream(data()), alpha=0.01), None, st.Adam(0.05), batch_size=200, max_epochs=2, random_state=3
    ),
    "softmax": lambda: st.minimize(st.Softmax(by_rows(data()), n_classes=2, alpha=0.01)),
    "sparse": lambda: st.minimize(st.Logistic(by_rows(data(sparse=True)), alpha=0.01)),
    "mini-batches": lambda: st.minimize(
        st.Logistic(by_list(data()), alpha=0.01), None, st.Momentum(0.05), batch_size=64, max_epochs=5, random_state=3
    ),
    "sparse mini-batches": lambda: st.minimize(
        st.Logistic(by_rows(data(sparse=True)), alpha=0.01), None, st.Momentum("auto"), batch_size=50, max_epochs=3,
        random_state=3,
    ),
    "early stopping": lambda: st.minimize(
        st.Logistic(by_rows(data())), None, st.Adam(0.3), max_epochs=200, batch_size=100, random_state=1,
        validation=st.Logistic(by_list(data(seed=1))), stop=st.stop.NoImprovement(3),
    ),
    "validation on every rank": lambda: st.minimize(
        st.Logistic(by_rows(data())), None, st.Adam(0.3), max_epochs=200, validation=data(seed=1)[:2],
        stop=st.stop.NoImprovement(3),
    ),
}  # fmt: skip


def bits():
    return {name: told(run()) for name, run in BITS.items()}


def decisions():
    """What follows from clocks, callbacks, Ctrl-C and chance: alike on all ranks, though nobody knows it beforehand."""
    last = COMM.rank == COMM.size - 1
    problem = st.Logistic(by_rows(data()), alpha=1e-3)
    batches = {"optimizer": st.Momentum(0.01), "batch_size": 10, "max_epochs": 10**6, "diagnose": False}
    found = {}
    found["clock"] = told(st.minimize(problem, max_seconds=0.5, random_state=0, **batches))
    slow = [lambda progress: time.sleep(0.2 * last)]
    found["slow rank"] = told(st.minimize(problem, None, st.Adam(), max_seconds=1.0, max_epochs=10**6, callbacks=slow))
    found["callback"] = told(st.minimize(problem, None, st.Adam(), callbacks=[lambda p: last and p.epoch == 3]))
    found["no seed"] = told(st.minimize(problem, None, st.Momentum(0.01), batch_size=10, max_epochs=2))

    def interrupt(progress):
        if last and progress.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    found["ctrl-c"] = told(st.minimize(problem, callbacks=interrupt, random_state=0, **batches))
    own_rule = type("Own", (st.stop.GradientNorm,), {"__call__": lambda self, progress: COMM.rank == 0})
    found["leader's rule"] = told(st.minimize(problem, None, st.Adam(), stop=own_rule(1.0)))
    return found


def fits():
    """An estimator gets the parts, and a seed that rank 0 draws, for the time of the fit."""

    class Estimator:
        random_state = None

        def fit(self, data):
            self.data, self.seed = data, self.random_state

        def __repr__(self):
            return "Estimator()"

    X, y, _ = data()
    mine = mpi.rows(N, part_rows=PART_ROWS)
    model = mpi.fit(Estimator(), X[mine], y[mine].astype(int), part_rows=PART_ROWS)
    assert error_of(lambda: mpi.fit(Estimator(), X[mine], y[mine].astype(str)))[0] == "TypeError"
    problem = st.Logistic(model.data)
    return [str(problem.dtype), problem.n_samples, model.random_state, str(model.data.target_dtype), model.seed]


def searches():
    """Searches draw one seed for all ranks, and take their runs one after the other."""
    problem = st.Logistic(by_rows(data()), alpha=0.01)
    curve = st.find_learning_rate(problem, st.Momentum(0.01), batch_size=50)
    grid = st.grid_search(problem, st.Momentum(0.01), [0.01, 0.1], batch_size=50, max_epochs=2)
    refused = error_of(lambda: st.grid_search(problem, st.Adam(), [0.1], n_jobs=2))
    return [curve.suggestion, [told(result) for result in grid.results], refused]


def warned():
    X, y, weight = data()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        st.minimize(st.LeastSquares(by_rows((X, y, weight))), None, st.GradientDescent(1e3))
    return [each.category.__name__ for each in caught]


def failures():
    """Every rank must raise an error, and the next run must work."""
    rank, found = COMM.rank, {}
    X, y, _ = data()
    mine = mpi.rows(N, part_rows=PART_ROWS)
    X, y = X[mine].copy(), y[mine].copy()
    good = mpi.parts(X, y, part_rows=PART_ROWS)
    problem = st.Logistic(good, alpha=0.01)
    second = rank == 1

    bad = np.where(np.arange(len(y)) == 5, np.nan, y) if second else y
    found["bad part"] = error_of(lambda: mpi.parts(X, bad))
    found["columns"] = error_of(lambda: mpi.parts(X[:, : D - second].copy(), y))
    found["dtype"] = error_of(lambda: mpi.parts(*((a.astype(np.float32) for a in (X, y)) if second else (X, y))))
    found["weights"] = error_of(lambda: mpi.parts(X, y, np.ones(len(y)) if second else None))
    found["part_rows"] = error_of(lambda: mpi.parts(X, y, part_rows=50 + second))
    found["text"] = error_of(lambda: mpi.parts(st.open_stream([(X, np.where(y > 0, "yes", "no"))])))
    found["no rows"] = error_of(lambda: mpi.parts([]))
    found["loss"] = error_of(lambda: st.minimize((st.LeastSquares if second else st.Logistic)(good)))
    found["alpha"] = error_of(lambda: st.Logistic(good, alpha=0.01 * rank).value(np.zeros(D + 1)))
    found["rate"] = error_of(lambda: st.minimize(problem, None, st.Adam(0.1 + second)))
    found["epochs"] = error_of(lambda: st.minimize(problem, max_epochs=3 + rank))
    found["seed"] = error_of(lambda: st.minimize(problem, None, st.Adam(), batch_size=10, random_state=rank))
    found["start"] = error_of(lambda: st.minimize(problem, np.full(D + 1, 0.1 * rank)))
    found["validation"] = error_of(lambda: st.minimize(problem, None, st.Adam(), validation=(X[:5].copy(), y[:5])))
    found["schedule"] = error_of(lambda: st.minimize(problem, None, st.Adam(lambda step: 0.1 + second)))

    def callback(progress):
        if second and progress.epoch == 2:
            raise OSError("no space left")

    found["callback"] = error_of(lambda: st.minimize(problem, None, st.Adam(), callbacks=callback))
    whole = good.engine._read

    def broken(asked, in_place):
        yield next(iter(whole(asked, in_place)))
        raise OSError("the disk is gone")

    good.engine._read = broken if second else whole
    found["pass"] = error_of(lambda: st.minimize(problem))
    good.engine._read = whole
    found["alike"] = error_of(lambda: st.minimize(problem, max_epochs=-1))
    found["works again"] = told(st.minimize(problem))
    return found


def left():
    """Rank 1 does not come to the second run: its program raises an error."""
    problem = st.Logistic(by_rows(data()), alpha=0.01)
    st.minimize(problem)
    if COMM.rank == 1:
        raise LookupError("rank 1 has other plans")
    return error_of(lambda: st.minimize(problem))


def killed():
    problem = st.Logistic(by_rows(data()), alpha=0.01)

    def callback(progress):
        if COMM.rank == 1 and progress.epoch == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    st.minimize(problem, None, st.Adam(), max_epochs=10**9, callbacks=callback)


def saved(folder, stops):
    """Runs with checkpoints in a folder, which all ranks see. They break off in the second epoch if `stops`."""

    def callback(progress):
        if stops and progress.epoch == 2:
            raise BrokenPipeError

    quasi = st.Logistic(by_list(data()), alpha=0.01)
    batches = {"batch_size": 64, "max_epochs": 5, "random_state": 3}
    runs = {"quasi-newton": (quasi, None, {}), "mini-batches": (quasi, st.Momentum(0.05), batches)}
    found = {}
    for name, (objective, rule, options) in runs.items():
        path = None if folder is None else Path(folder, name)
        settings = {**options, "checkpoint": path, "checkpoint_seconds": 0.0, "callbacks": [callback]}
        found[name] = (
            told(st.minimize(objective, None, rule, **settings))
            if not stops
            else error_of(
                lambda settings=settings, objective=objective, rule=rule: st.minimize(objective, None, rule, **settings)
            )
        )
    return found


def broken_off():
    return saved(FOLDER, True)


def resumed():
    return saved(FOLDER, False)


def other_checkpoint():
    """The file is of another problem: all ranks are told."""
    problem = st.Logistic(by_list(data()), alpha=0.02)
    return error_of(lambda: st.minimize(problem, checkpoint=Path(FOLDER, "quasi-newton")))


COMM = FOLDER = None
if __name__ == "__main__":
    from mpi4py import MPI

    from steepest import mpi

    COMM = MPI.COMM_WORLD
    folder, *cases = sys.argv[1:]
    FOLDER = folder
    for case in cases:
        found = globals()[case]()
        Path(folder, f"{case}-{COMM.size}-{COMM.rank}.json").write_text(json.dumps(found))
