"""What methods ask of a table beyond passes: the entries of its rows, and the ranges of its columns."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest.analysis.separability import separation
from steepest.objectives.protocol import Capability
from steepest.quasi_newton.frequent import frequent_metric
from steepest.quasi_newton.runner import QuasiNewtonRunner

sparse = pytest.importorskip("scipy.sparse")

WIDE = 5000  # levels: more columns than are made dense


def mixed(n, seed=0):
    """A table of numbers, two categorical columns, one of them with a baseline, and CSR with repeated columns."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 4, n)
    rows = sparse.csr_array(
        (rng.uniform(0.2, 1.0, lengths.sum()), rng.integers(0, 4, lengths.sum()), np.append(0, np.cumsum(lengths))),
        shape=(n, 4),
    )
    numbers = rng.standard_normal((n, 2))
    numbers[rng.random(n) < 0.3] = 0.0
    coarse, fine = rng.integers(-1, 3, n).astype(np.int8), rng.integers(0, 5, n).astype(np.int16)
    table = st.Table(numbers, st.Categorical(coarse, 3, None), rows, st.Categorical(fine, 5, "first"))
    dense = np.zeros((n, 13))
    dense[:, :2] = numbers
    for level in range(3):
        dense[coarse == level, 2 + level] = 1.0
    np.add.at(dense, (np.repeat(np.arange(n), lengths), 5 + rows.indices), rows.data)
    for level in range(1, 5):
        dense[fine == level, 8 + level] = 1.0
    return table, dense


def test_entries_and_ranges_are_those_of_the_dense_columns():
    X, dense = mixed(60)
    data = st.LeastSquares(X, np.zeros(60)).data
    index = np.array([3, 0, 59, 17, 3])
    rows, columns, values = data.entries(index)
    found = np.zeros((5, 13))
    np.add.at(found, (rows, columns), values)
    np.testing.assert_allclose(found, dense[index], rtol=1e-15)
    some = np.arange(60) % 3 == 1
    low, high = data.column_ranges(some)
    np.testing.assert_allclose(low, dense[some].min(axis=0), rtol=1e-15)
    np.testing.assert_allclose(high, dense[some].max(axis=0), rtol=1e-15)


@pytest.mark.parametrize("intercept", [False, True])
def test_a_block_of_all_rows_is_the_hessian(intercept):
    """By the native Hessian of the dense columns."""
    X, dense = mixed(300)
    rng = np.random.default_rng(1)
    y, weight = rng.integers(0, 2, 300).astype(float), rng.uniform(0.0, 2.0, 300)
    options = {"sample_weight": weight, "intercept": intercept, "alpha": 0.1}
    objective = st.Logistic(X, y, **options)
    w, g = 0.1 * rng.standard_normal((2, objective.n_parameters))
    hessian = st.Logistic(dense, y, **options).hessian(w)
    metric = frequent_metric(objective, w, np.diag(hessian).copy(), 13, 300, seed=0)
    np.testing.assert_allclose(metric.solve(g), np.linalg.solve(hessian, g), rtol=1e-4, atol=1e-6)


def test_correlated_levels_get_a_block(monkeypatch):
    """Every level of the second column has one of the first, so that the diagonal alone takes many passes."""
    rng = np.random.default_rng(0)
    n = 60_000
    fine = (400 * rng.random(n) ** 2).astype(np.int32)
    coarse = rng.permutation(400)[fine].astype(np.int8) % 12
    X = st.Table(st.Categorical(coarse, 12, None), st.Categorical(fine, WIDE, None), dtype=np.float32)
    scores = 0.7 * (rng.standard_normal(12)[coarse] + rng.standard_normal(400)[fine])
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-scores))).astype(np.float32)
    evaluate, found, passes = QuasiNewtonRunner._evaluate_all_rows, [], []
    monkeypatch.setattr(
        QuasiNewtonRunner, "_evaluate_all_rows", lambda self, w: (passes.append(1), evaluate(self, w))[1]
    )
    for sizes in ((), (256, 1024)):
        passes.clear()
        monkeypatch.setattr("steepest.quasi_newton.plan._SIZES", sizes)
        result = st.minimize(st.Logistic(X, y, alpha=1e-4), stop=st.stop.GradientNorm(1e-6), max_epochs=300)
        found.append((result.value, len(passes)))
    (alone, many), (value, few) = found
    assert value == pytest.approx(alone, rel=1e-6)
    assert few <= 0.7 * many


@pytest.mark.parametrize(("rows", "separates"), [(lambda y: y == 1, True), (lambda y: y == 0, True), (None, False)])
@pytest.mark.parametrize("loss", [st.Logistic, st.Softmax])
def test_a_level_of_one_class_leaves_no_minimum(loss, rows, separates):
    """Along its column the losses of its 40 rows fall for ever, and no other loss changes.

    Every other level keeps rows of both classes.
    """
    rng = np.random.default_rng(2)
    n = 4 * WIDE
    y = np.tile([0.0, 1.0], n // 2)
    codes = np.repeat(1 + np.arange(n // 4) % (WIDE - 1), 4)
    codes[np.flatnonzero(y >= 0 if rows is None else rows(y))[:440:11]] = 0
    X = st.Table(rng.standard_normal(n), st.Categorical(codes.astype(np.int16), WIDE, None))
    objective = loss(X, y)
    assert not objective.supports(Capability.ROWS)
    assert bool(separation(objective, np.ones(objective.n_parameters), 0.05)) == separates


def test_a_table_of_bfloat16_rows_becomes_csr():
    """1.5 and -2 are bfloat16 numbers, of the upper halves of their float32 bits."""
    values = np.array([1.5, -2.0], np.float32)
    stored = (values.view(np.uint32) >> 16).astype(np.uint16).view([("bfloat16", "<u2")])
    rows = type("Rows", (), {"data": stored, "indices": np.array([0, 1], np.int32), "shape": (2, 2)})
    rows.indptr = np.array([0, 1, 2], np.int32)
    X = st.Table(rows, st.Categorical(np.array([0, 1], np.int8), 2, None))
    assert X.as_csr().data.tolist() == [1.5, 1.0, -2.0, 1.0]
