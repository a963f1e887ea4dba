"""Objectives over parts: their sums are added along one tree, and all that reads data runs over them."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as some

import steepest as st
from steepest import _core
from steepest.arrays.sparse import csr_view
from steepest.objectives.parts import Parts
from steepest.objectives.questions import HeldPart
from steepest.parts.facts import Facts, TargetFacts
from steepest.parts.local import LocalEngine
from steepest.parts.tree import Tree

N, D, K = 403, 5, 3
CUTS = [0, 37, 38, 211, 300, N]


def rows(loss, dtype="float64", far=0.0, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(N, D)) * np.geomspace(0.3, 3.0, D) + far
    z = (X - far) @ np.linspace(-0.7, 0.7, D) + random.normal(size=N)
    y = {"Logistic": z > 0, "Softmax": np.digitize(z, [-1, 1]), "Poisson": random.poisson(np.exp(np.clip(z, -3, 3)))}
    weight = random.integers(0, 3, N)
    return X.astype(dtype), np.asarray(y.get(loss, z)).astype(dtype), weight.astype(dtype)


def in_parts(X, y, weight, cuts=CUTS):
    each = [
        (csr_view(X[a:b]) if sp.issparse(X) else X[a:b], y[a:b], None if weight is None else weight[a:b])
        for a, b in itertools.pairwise(cuts)
    ]
    return Parts.of(each)


def both(loss, dtype="float64", far=0.0, sparse=False, weighted=True, **options):
    X, y, weight = rows(loss, dtype, far)
    if sparse:
        X[np.abs(X) < 0.5] = 0.0
        X = sp.csr_array(X)
    weight = weight if weighted else None
    if loss == "Softmax":
        options["n_classes"] = K
    kind = getattr(st, loss)
    return kind(in_parts(X, y, weight), **options), kind(X, y, sample_weight=weight, **options)


LOSSES = ("LeastSquares", "Logistic", "Huber", "Poisson", "Softmax")
OPTIONS = {
    "plain": {"alpha": 0.01},
    "no intercept": {"alpha": 0.01, "intercept": False},
    "l1": {"alpha": 0.05, "l1_ratio": 0.9},
    "standardised": {"alpha": 0.01, "centre": np.linspace(-1.0, 1.0, D), "scale": np.linspace(0.5, 2.0, D)},
}


@given(n=some.integers(1, 70), data=some.data())
def test_a_tree_adds_in_one_order_whoever_has_which_part(n, data):
    """Against the rule itself, by recursion: neighbours of each level are added, a last one without any rises."""

    def expected(level):
        if len(level) == 1:
            return level[0]
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        return expected([f"({''.join(pair)})" if len(pair) > 1 else pair[0] for pair in pairs])

    owners = data.draw(some.lists(some.integers(0, 3), min_size=n, max_size=n))
    order = data.draw(some.permutations(range(n)))
    workers = [Tree(n, lambda first, second: f"({first}{second})") for _ in range(4)]
    for index in order:
        workers[owners[index]].put(index, f"<{index}>")
    whole = Tree(n, lambda first, second: f"({first}{second})")
    for worker in data.draw(some.permutations(workers)):
        whole.take(worker.nodes)
    assert whole.total() == expected([f"<{i}>" for i in range(n)])


@pytest.mark.parametrize("n", [1, 2, 7, 64, 100])
def test_a_tree_adds_as_the_native_sums_do(n):
    values = np.random.default_rng(n).normal(size=n) * 10.0 ** (np.arange(n) % 7)
    tree = Tree(n, lambda first, second: first + second)
    for index, value in enumerate(values):
        tree.put(index, value)
    native = _core.add_sums([(1.0, v, np.array([v]), np.array([[v]])) for v in values])
    assert tree.total() == native[1] == native[2][0] == native[3][0, 0]


def test_a_tree_of_parts_in_a_row_is_short():
    tree = Tree(1000, lambda first, second: first + second)
    for index in range(999):
        tree.put(index, 1)
        assert len(tree.nodes) <= 10
    with pytest.raises(ValueError, match="all 1000 parts must answer"):
        tree.total()
    with pytest.raises(ValueError, match="a part must answer once"):
        tree.put(998, 1)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_passes_are_those_over_one_array(loss, dtype, sparse, options):
    parts, dense = both(loss, dtype, sparse=sparse, **options)
    shape = (K, -1) if loss == "Softmax" else (-1,)
    w, v = np.random.default_rng(1).normal(size=(2, dense.n_parameters)).astype(dtype)
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-13}
    np.testing.assert_allclose(parts.value(w), dense.value(w), **close)
    value, gradient = parts.value_and_gradient(w.reshape(shape))
    expected, expected_gradient = dense.value_and_gradient(w.reshape(shape))
    assert gradient.dtype == dtype
    np.testing.assert_allclose(value, expected, **close)
    np.testing.assert_allclose(gradient, expected_gradient, **close)
    np.testing.assert_allclose(parts.gradient_norm(w, gradient.ravel()), dense.gradient_norm(w, gradient.ravel()))
    product = parts.hessian_product(w.reshape(shape), v.reshape(shape))
    np.testing.assert_allclose(product, dense.hessian_product(w.reshape(shape), v.reshape(shape)), **close)
    np.testing.assert_allclose(parts.hessian(w.reshape(shape)), dense.hessian(w.reshape(shape)), **close)
    for found, each in zip(parts.column_statistics(), dense.column_statistics(), strict=True):
        np.testing.assert_allclose(found, each, **close)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_quasi_newton_finds_the_minimum_over_one_array(loss, sparse, options):
    parts, dense = both(loss, sparse=sparse, **options)
    found, expected = (st.minimize(each, stop=st.stop.GradientNorm(1e-8)) for each in (parts, dense))
    assert found.converged
    assert expected.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)
    np.testing.assert_allclose(np.diff(found.w, axis=0), np.diff(expected.w, axis=0), atol=1e-6)  # Softmax has a gauge


@pytest.mark.parametrize("loss", LOSSES)
def test_quasi_newton_needs_few_passes(loss):
    """Its sample and its Hessian come from rows of the parts, as they come from one array."""
    parts, dense = both(loss, alpha=0.01)
    counts = []
    for each in (parts, dense):
        result = st.minimize(each, stop=st.stop.GradientNorm(1e-8))
        assert result.converged
        counts.append(result.n_steps)
    assert counts[0] <= counts[1] + 3


RULES = [st.GradientDescent(0.05), st.GradientDescent("auto"), st.Momentum("auto"), st.Adam(0.05), st.RMSProp(0.01)]


@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["l1"]], ids=["plain", "l1"])
@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("loss", LOSSES)
def test_descent_takes_the_same_steps(loss, rule, options):
    """With the L1 penalty too, whose part of a step the native loop takes."""
    parts, dense = both(loss, **options)
    found, expected = (st.minimize(each, None, rule, max_epochs=20, diagnose=False) for each in (parts, dense))
    assert found.n_steps == expected.n_steps
    np.testing.assert_allclose(found.w, expected.w, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-9)
    np.testing.assert_allclose(found.history["gradient_norm"], expected.history["gradient_norm"], rtol=1e-6)


def test_descent_keeps_to_a_constraint():
    parts, dense = both("LeastSquares")
    found, expected = (
        st.minimize(each, None, st.GradientDescent(0.02), constraint=st.Box(0.0, 0.3)) for each in (parts, dense)
    )
    np.testing.assert_allclose(found.w, expected.w, rtol=1e-9, atol=1e-12)
    assert found.w.max() == pytest.approx(0.3)


@pytest.mark.parametrize("loss", ["LeastSquares", "Huber"])
def test_targets_far_from_zero_lose_no_digits(loss):
    """In float32 the targets are 1e6 apart from zero, and their noise is about 1."""
    X, y, weight = rows(loss)
    y, X, weight = (y + 1e6).astype(np.float32), X.astype(np.float32), weight.astype(np.float32)
    found = st.minimize(getattr(st, loss)(in_parts(X, y, weight)))
    expected = st.minimize(getattr(st, loss)(X, y, sample_weight=weight))
    assert found.converged
    np.testing.assert_allclose(found.w[:-1], expected.w[:-1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_huber_far_from_its_delta_takes_the_curvature_of_squares(sparse, options):
    """No residual is within delta at the start, where the loss has no curvature of its own."""
    X, y, weight = rows("Huber")
    X = sp.csr_array(np.where(np.abs(X) < 0.5, 0.0, X)) if sparse else X
    parts, held = (
        st.Huber(in_parts(X, 1e5 * y, weight), **options),
        st.Huber(X, 1e5 * y, sample_weight=weight, **options),
    )
    found, expected = (st.minimize(each, max_epochs=300) for each in (parts, held))
    assert found.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_far_columns_are_centred(loss):
    parts, dense = both(loss, far=3000.0, alpha=0.01)
    found, expected = st.minimize(parts, max_epochs=80), st.minimize(dense)
    assert found.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-9)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_rows_are_taken_in_any_order_from_any_part(sparse):
    parts, dense = both("LeastSquares", sparse=sparse)
    index = np.random.default_rng(0).integers(0, N, 60)
    found, expected = parts.data.taken(index), dense.data.taken(index)
    for name in ("X", "targets", "weights"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.weight_sum == expected.weight_sum
    assert parts.data.taken(index, 5.0).weight_sum == 5.0


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_bits_wherever_parts_are(loss):
    """Two workers, which hold parts in turn and send the roots of their subtrees, and one that holds all."""
    X, y, weight = rows(loss)
    held = [HeldPart(i, X[a:b], y[a:b], weight[a:b]) for i, (a, b) in enumerate(itertools.pairwise(CUTS))]

    class Two(LocalEngine):
        def reduce(self, question, *arrays):
            whole = Tree(len(held), question.add)
            asked = range(len(held)) if question.asks is None else question.asks
            for first in (1, 0):
                worker = Tree(len(held), question.add)
                for part in held[first::2]:
                    worker.put(part.index, question.of(part, *arrays) if part.index in asked else None)
                whole.take(worker.nodes)
            return whole.total()

    options = {"n_classes": K} if loss == "Softmax" else {}
    results = [
        st.minimize(getattr(st, loss)(Parts(engine), alpha=0.01, **options))
        for engine in (Two(len(held), None), LocalEngine(len(held), lambda asked: (held[i] for i in asked)))
    ]
    assert results[0].w.tobytes() == results[1].w.tobytes()
    assert results[0].value == results[1].value


@pytest.mark.parametrize("loss", LOSSES)
def test_hessians_of_parts_that_are_cut_in_chunks(loss):
    """Of some ten thousand rows each, and of different numbers of them. The same rows in one array have the sum."""
    X, y, weight = (np.tile(each.T, 100).T.copy() for each in rows(loss))
    options = {"n_classes": K} if loss == "Softmax" else {}
    parts = getattr(st, loss)(in_parts(X, y, weight, [0, 30_000, 33_000, len(y)]), alpha=0.01, **options)
    dense = getattr(st, loss)(X, y, sample_weight=weight, alpha=0.01, **options)
    w = np.random.default_rng(1).normal(size=dense.n_parameters)
    np.testing.assert_allclose(parts.hessian(w), dense.hessian(w), rtol=1e-11, atol=1e-13)


def test_a_part_may_have_no_weight():
    X, y, weight = rows("Logistic")
    weight[:38] = 0.0
    parts, dense = st.Logistic(in_parts(X, y, weight), alpha=0.1), st.Logistic(X, y, sample_weight=weight, alpha=0.1)
    np.testing.assert_allclose(st.minimize(parts).w, st.minimize(dense).w, atol=1e-8)


def test_some_part_must_have_a_weight():
    X, y, weight = rows("Logistic")
    with pytest.raises(ValueError, match=r"^sample_weight must have a positive finite sum, got 0"):
        st.Logistic(in_parts(X, y, 0.0 * weight))


def test_an_l1_penalty_is_not_lost_beside_a_gradient_of_a_subclass():
    """The gradient leaves that penalty out, and steps in Python know the gradient alone."""

    class Own(st.LeastSquares):
        def value_and_gradient(self, w):
            return super().value_and_gradient(w)

    X, y, _ = rows("LeastSquares")
    with pytest.raises(TypeError, match=r"^objective must be without an L1 penalty if it has a value_and_gradient"):
        st.minimize(Own(X, y, alpha=0.1, l1_ratio=0.5), optimizer=st.Adam())
    assert st.minimize(Own(X, y, alpha=0.1), optimizer=st.Adam(), max_epochs=2).n_steps == 2


def test_what_needs_rows_is_refused():
    with pytest.raises(TypeError, match=r"^normal_equation needs an objective with rows in host memory"):
        st.normal_equation(both("LeastSquares")[0])
    with pytest.raises(TypeError, match=r"^y must be None for X in parts"):
        st.Logistic(in_parts(*rows("Logistic")), np.ones(N))
    with pytest.raises(TypeError, match=r"^sample_weight must be None for X in parts"):
        st.Logistic(in_parts(*rows("Logistic")), sample_weight=np.ones(N))


@pytest.mark.parametrize(
    ("loss", "wrong", "message"),
    [
        ("Logistic", 2.0, "labels 0 and 1 only, got 2.0"),
        ("Softmax", 3.0, "got 3"),
        ("Softmax", 1.5, "got 1.5"),
        ("Poisson", -1.0, "at least 0, got -1 in some row"),
    ],
)
def test_targets_of_every_part_are_checked(loss, wrong, message):
    X, y, weight = rows(loss)
    y[350] = wrong
    with pytest.raises(ValueError, match=message):
        getattr(st, loss)(in_parts(X, y, weight), **({"n_classes": K} if loss == "Softmax" else {}))


def test_parts_must_be_alike():
    X, y, weight = rows("LeastSquares")
    with pytest.raises(ValueError, match="same number of columns, got 5 and 4"):
        st.LeastSquares(Parts.of([(X, y), (X[:, :4].copy(), y)]))
    with pytest.raises(ValueError, match="all have weights or none"):
        st.LeastSquares(Parts.of([(X, y, weight), (X, y)]))
    with pytest.raises(ValueError, match="same dtype"):
        st.LeastSquares(Parts.of([(X, y), (X.astype(np.float32), y.astype(np.float32))]))


def test_an_error_of_a_part_reaches_the_caller():
    X, y, weight = rows("LeastSquares")
    held = HeldPart(0, X, y, weight)

    def broken(asked):
        if broken.works:
            return [held]
        raise OSError("the disk is gone")

    broken.works = True
    objective = st.LeastSquares(Parts(LocalEngine(1, broken)))
    broken.works = False
    for call in (lambda: objective.value(np.zeros(D + 1)), lambda: st.minimize(objective, optimizer=st.Adam(0.1))):
        with pytest.raises(OSError, match="the disk is gone"):
            call()


@given(cut=some.lists(some.integers(1, N - 1), max_size=6, unique=True))
def test_facts_of_parts_are_those_of_all_rows(cut):
    X, y, weight = rows("Poisson")
    cuts = [0, *sorted(cut), N]
    each = [Facts.of(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(cuts)]
    found, expected = functools.reduce(Facts.with_more, each), Facts.of(X, y, weight)
    assert found.sizes == tuple(np.diff(cuts))
    assert (found.n_samples, found.n_elements, found.weight_sum) == (N, N * D, weight.sum())
    assert found.least_weight == expected.least_weight == 1.0
    np.testing.assert_array_equal(found.targets.values, expected.targets.values)
    np.testing.assert_allclose(found.targets.totals, expected.targets.totals)
    assert found.targets.mean == pytest.approx(np.average(y, weights=weight))
    variance = np.average((y - found.targets.mean) ** 2, weights=weight)
    assert found.targets.deviation == pytest.approx(np.sqrt(variance))


def test_many_different_targets_keep_those_that_a_check_must_see():
    y = np.arange(5000.0)
    y[4000] += 0.5
    facts = TargetFacts.of(y[:3000], None).with_more(TargetFacts.of(y[3000:], None))
    assert len(facts.values) <= 1026
    assert {0.0, 4999.0, 4000.5} <= set(facts.values.tolist())
    assert len(facts.sample) <= 4096


@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["l1"]], ids=["plain", "l1"])
@pytest.mark.parametrize("rule", [st.GradientDescent(1e-3), st.Momentum(1e-4), st.Adam(0.05)], ids=repr)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_mini_batches_ask_the_parts_for_their_rows(loss, sparse, rule, options):
    """The batches are those over one array, in the same random order."""
    parts, dense = both(loss, sparse=sparse, **options)
    settings = {"batch_size": 16, "max_epochs": 3, "random_state": 4, "diagnose": False}
    found, expected = (st.minimize(each, None, rule, **settings) for each in (parts, dense))
    assert found.n_steps == expected.n_steps == 3 * 26
    np.testing.assert_allclose(found.w, expected.w, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-9)


def read_parts(X, y, weight, capacity):
    return Parts.of([(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(CUTS)], capacity)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", [st.GradientDescent(1e-3), st.Adam(0.05), st.GradientDescent("auto")], ids=repr)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_buffer_of_all_parts_has_the_bits_of_one_array(loss, rule, dtype):
    X, y, weight = rows(loss, dtype)
    options = {"n_classes": K} if loss == "Softmax" else {}
    settings = {"batch_size": 16, "max_epochs": 3, "random_state": 4, "diagnose": False}
    buffered = getattr(st, loss)(read_parts(X, y, weight, 5), alpha=0.01, **options)
    dense = getattr(st, loss)(X, y, sample_weight=weight, alpha=0.01, **options)
    found, expected = (st.minimize(each, None, rule, **settings) for each in (buffered, dense))
    if rule.learning_rate == "auto":  # it comes from Hessian products over the parts
        rates = [each.history["learning_rate"][0] for each in (found, expected)]
        assert rates[0] == pytest.approx(rates[1], rel=1e-3)
        return
    assert found.w.tobytes() == expected.w.tobytes()
    assert found.history["loss"].tobytes() == expected.history["loss"].tobytes()
    assert found.n_steps == expected.n_steps


@pytest.mark.parametrize("capacity", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 16, 50, 172, 173])
def test_an_epoch_from_a_buffer_takes_every_row_once(capacity, batch_size):
    """Each row adds its number of one column to the gradient of a step, so that w is a record of the rows."""
    X, y = np.eye(N), np.full(N, -0.5)
    parts = Parts.of([(X[a:b], y[a:b]) for a, b in itertools.pairwise(CUTS)], capacity)
    objective = st.LeastSquares(parts, intercept=False)
    settings = {"batch_size": batch_size, "max_epochs": 1, "random_state": 5, "diagnose": False}
    result = st.minimize(objective, None, st.GradientDescent(1e-3), record_path=True, **settings)
    assert result.n_steps == -(-N // batch_size)
    moved = np.diff(result.path, axis=0) != 0.0
    np.testing.assert_array_equal(moved.sum(axis=0), 1)
    np.testing.assert_array_equal(np.sort(moved.sum(axis=1))[1:], batch_size)
    np.testing.assert_allclose(result.w.sum() * batch_size / -1e-3, N, rtol=batch_size / N + 1e-9)


def test_a_batch_of_more_rows_than_a_buffer_is_refused():
    objective = st.LeastSquares(read_parts(*rows("LeastSquares"), 2))
    settings = {"max_epochs": 1, "random_state": 0, "diagnose": False}
    with pytest.raises(ValueError, match=r"^batch_size must be at most 346 for data that are read in parts.*got 347"):
        st.minimize(objective, None, st.Adam(), batch_size=347, **settings)
    assert st.minimize(objective, None, st.Adam(), batch_size=346, **settings).n_steps == 2


def order_of(capacity, seed, shuffle=True, epochs=2):
    """The row of each step, over steps of one row."""
    X, y = np.eye(N), np.full(N, -0.5)
    parts = Parts.of([(X[a:b], y[a:b]) for a, b in itertools.pairwise(CUTS)], capacity)
    settings = {"batch_size": 1, "max_epochs": epochs, "random_state": seed, "diagnose": False, "shuffle": shuffle}
    rule = st.GradientDescent(1e-3)
    result = st.minimize(st.LeastSquares(parts, intercept=False), None, rule, record_path=True, **settings)
    return np.argmax(np.diff(result.path, axis=0) != 0.0, axis=1).reshape(epochs, N)


def test_the_order_is_a_function_of_seed_and_epoch():
    first, second = order_of(2, 5)
    np.testing.assert_array_equal(order_of(2, 5), [first, second])
    assert (first != second).any()
    assert (first != order_of(2, 6)[0]).any()
    np.testing.assert_array_equal(order_of(2, 5, shuffle=False), [np.arange(N)] * 2)
    part = np.searchsorted(CUTS, first, "right") - 1
    assert [len(set(part[a:b])) for a, b in ((0, 30), (370, N))] == [2, 1]  # two parts mixed, then the last one alone


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_steps_from_a_buffer_come_near_the_minimum(loss, sparse):
    X, y, weight = rows(loss)
    if sparse:
        X[np.abs(X) < 0.5] = 0.0
    whole = sp.csr_array(X) if sparse else X
    each = [(csr_view(whole[a:b]) if sparse else X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(CUTS)]
    options = {"n_classes": K} if loss == "Softmax" else {}
    objective = getattr(st, loss)(Parts.of(each, 2), alpha=0.01, **options)
    rule = st.Adam(st.schedules.InverseTimeDecay(0.05, 1.0, every=200))
    result = st.minimize(objective, None, rule, batch_size=20, max_epochs=60, random_state=0, diagnose=False)
    least = st.minimize(getattr(st, loss)(whole, y, sample_weight=weight, alpha=0.01, **options)).value
    start = result.history["loss"][0]
    assert result.value - least < 0.02 * (start - least)
