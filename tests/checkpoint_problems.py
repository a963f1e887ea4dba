"""Problems for the tests of checkpoints."""

from __future__ import annotations

import numpy as np

import steepest as st
from checkpoints import BrokenOffError
from steepest.descent import checkpoints as module
from steepest.descent import run as run_module
from test_checkpoint import table
from test_sparse_steps import rows_of

X, Y, Z = table()


def logistic(**options):
    return st.Logistic(X, Y, **{"alpha": 0.01, **options})


def sparse_rows():
    rows = rows_of()
    return st.Logistic(rows, (np.arange(rows.shape[0]) % 3 == 0).astype(float), alpha=0.001)


class Slices:
    """A run whose epochs are cut in slices, and which ends at a slice."""

    def __init__(self, monkeypatch, steps, last=None):
        monkeypatch.setattr(run_module, "_BLOCK_STEPS", steps)
        self.left = last
        own = module.Checkpoints.write
        monkeypatch.setattr(module.Checkpoints, "write", lambda *arguments: self.write(own, *arguments))

    def write(self, own, *arguments):
        own(*arguments)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise BrokenOffError


def bowl(w):
    return float((w**4).sum() + w[0] * w[1]), 4 * w**3 + [w[1], w[0], 0.0]
