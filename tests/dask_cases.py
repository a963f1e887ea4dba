"""A Dask cluster of processes, and rows that are on it and in memory, for the tests of `steepest.dask`."""

from __future__ import annotations

import itertools
import os
import signal

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from steepest.arrays.sparse import csr_view
from steepest.objectives.parts import Parts

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

N, D, K = 403, 5, 3
CUTS = [0, 37, 38, 211, 300, N]
SIZES = tuple(int(size) for size in np.diff(CUTS))
LOSSES = ("LeastSquares", "Logistic", "Huber", "Poisson", "Softmax")


def a_cluster(n=2):
    return distributed.LocalCluster(
        n_workers=n,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=50,
        scheduler_kwargs={"dashboard": False},
    )


def rows(loss, dtype="float64", sparse=False):
    random = np.random.default_rng(0)
    X = random.normal(size=(N, D)) * np.geomspace(0.3, 3.0, D)
    z = X @ np.linspace(-0.7, 0.7, D) + random.normal(size=N)
    y = {"Logistic": z > 0, "Softmax": np.digitize(z, [-1, 1]), "Poisson": random.poisson(np.exp(np.clip(z, -3, 3)))}
    weight = random.integers(0, 3, N)
    if sparse:
        X[np.abs(X) < 0.5] = 0.0
    return X.astype(dtype), np.asarray(y.get(loss, z)).astype(dtype), weight.astype(dtype)


def on_dask(X, y, weight=None, sparse=False):
    """Arrays as Dask arrays, in the chunks of CUTS."""
    found = [da.from_array(X, chunks=(SIZES, D)), *(da.from_array(each, chunks=(SIZES,)) for each in (y, weight))]
    if sparse:
        found[0] = found[0].map_blocks(sp.csr_array)
    return found


def in_memory(X, y, weight, sparse=False):
    cut = [(csr_view(sp.csr_array(X[a:b])) if sparse else X[a:b], y[a:b], weight[a:b]) for a, b in pairs()]
    return Parts.of(cut)


def pairs():
    return itertools.pairwise(CUTS)


def objective_of(loss, data):
    return getattr(st, loss)(data, alpha=0.01, **({"n_classes": K} if loss == "Softmax" else {}))


def bits(result):
    return result.w.tobytes(), result.value, result.n_steps


def expected(loss="Logistic", **options):
    return bits(st.minimize(objective_of(loss, in_memory(*rows(loss, **options)))))


def killing(client, at, which, number=signal.SIGKILL):
    """A callback that sends a signal to workers before the step `at`."""
    ids, steps = client.run(os.getpid), itertools.count()

    def callback(_):
        if next(steps) == at:
            for process in list(ids.values())[which]:
                os.kill(process, number)

    return callback
