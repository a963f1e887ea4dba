"""Steps from batches of sparse rows: what the same run over the dense copy of X gives, at the cost of the entries."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest.optimizers.runners import NativeRunner, StepPlan

sparse = pytest.importorskip("scipy.sparse")

N, D = 90, 1200
RULES = {
    "GradientDescent": lambda rate: st.GradientDescent(rate(0.5)),
    "Momentum": lambda rate: st.Momentum(rate(0.1)),
    "Momentum average": lambda rate: st.Momentum(rate(0.5), momentum=0.7, velocity="average"),
    "Momentum step": lambda rate: st.Momentum(rate(0.1), velocity="step"),
    "Nesterov": lambda rate: st.Momentum(rate(0.1), momentum=0.8, nesterov=True),
    "AdaGrad": lambda rate: st.AdaGrad(rate(0.3)),
    "RMSProp": lambda rate: st.RMSProp(rate(0.02)),
    "Adam": lambda rate: st.Adam(rate(0.02)),
}
PENALTIES = {"none": (0.0, 0.0), "L2": (0.02, 0.0), "L1": (0.002, 1.0), "both": (0.01, 0.4)}
SCHEDULES = {
    "constant": lambda rate: rate,
    "falling": lambda rate: st.schedules.InverseTimeDecay(rate, 0.05),
    "steps": lambda rate: st.schedules.StepDecay(rate, factor=0.5, every=37),
}
# The penalties under which a rule's missed steps have a closed form.
CLOSED = {
    "GradientDescent": {"none", "L2", "L1", "both"},
    **{rule: {"none", "L2"} for rule in ("Momentum", "Momentum average", "Momentum step", "Nesterov")},
    "AdaGrad": {"none", "L1"},
    "RMSProp": {"none"},
    "Adam": set(),
}
TOLERANCE = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-12}

each_rule = pytest.mark.parametrize("rule", RULES)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


def rows_of(n=N, d=D, per_row=4, seed=0, dtype=np.float64, ones=False, tidy=False):
    """A CSR array with empty rows; unless it is tidy, in no order and with columns that come twice in a row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 2 * per_row + 1, n)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.minimum((d * rng.random(indptr[-1]) ** 4).astype(np.int32), d - 1)
    data = np.ones(indptr[-1]) if ones else rng.standard_normal(indptr[-1])
    X = sparse.csr_array((data.astype(dtype), indices, indptr), shape=(n, d))
    if tidy:
        X.sum_duplicates()
    return X


def dense_of(X):
    dense = np.zeros(X.shape)
    np.add.at(dense, (np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices), X.data.astype(float))
    return dense


def targets_of(X, classes=2, seed=1):
    rng = np.random.default_rng(seed)
    scores = dense_of(X) @ rng.standard_normal((X.shape[1], classes)) + rng.standard_normal((X.shape[0], classes))
    return np.argmax(scores, axis=1).astype(X.dtype)


def weights_of(X, seed=2):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 2.0, X.shape[0])
    weight[rng.random(X.shape[0]) < 0.1] = 0.0
    return weight.astype(X.dtype)


def both(X, loss=st.Logistic, **options):
    """The objectives of X and of its dense copy in float64."""
    y = options.pop("y", None)
    y = targets_of(X) if y is None else y
    weight = options.pop("sample_weight", None)
    wide = None if weight is None else weight.astype(float)
    return (
        loss(X, y, sample_weight=weight, **options),
        loss(dense_of(X), y.astype(float), sample_weight=wide, **options),
    )


def run(objective, optimizer, batch_size, epochs=4, w0=None, **options):
    # without a seed for the start, all weights would be 0 and no missed step would move any
    w0 = np.random.default_rng(5).standard_normal(objective.n_parameters) / 2 if w0 is None else w0
    result = st.minimize(objective, w0.astype(objective.dtype), optimizer, batch_size=batch_size, max_epochs=epochs,
                         random_state=3, diagnose=False, **options)  # fmt: skip
    return result.w, optimizer


def assert_same(sparse_run, dense_run, dtype):
    (w, own), (expected, twin) = sparse_run, dense_run
    tolerance = TOLERANCE[np.dtype(dtype)]
    assert w.dtype == dtype
    np.testing.assert_allclose(w, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    assert own.n_steps == twin.n_steps
    for name, state in twin.state_dict()["state"].items():
        found = own.state_dict()["state"][name]
        np.testing.assert_allclose(found, state, rtol=10 * tolerance, atol=tolerance * np.abs(state).max())


def is_lazy(objective, optimizer, batch_size, projection=None):
    """Whether a run takes steps of the entries alone."""
    w = np.zeros(objective.n_parameters, objective.dtype)
    runner = NativeRunner(objective.native, optimizer, w, StepPlan(batch_size, projection=projection))
    return runner._descent.takes_sparse_steps


@each_dtype
@each_schedule
@each_penalty
@each_rule
@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_follows_the_run_over_the_dense_copy(rule, penalty, batch_size, schedule, dtype):
    alpha, l1_ratio = PENALTIES[penalty]
    X = rows_of(dtype=dtype, tidy=batch_size == 1 and schedule == "constant")
    own, twin = both(X, alpha=alpha, l1_ratio=l1_ratio, sample_weight=weights_of(X))
    make = lambda: RULES[rule](SCHEDULES[schedule])  # noqa: E731
    assert is_lazy(own, make(), batch_size) == (penalty in CLOSED[rule])
    assert_same(run(own, make(), batch_size), run(twin, make(), batch_size), dtype)
