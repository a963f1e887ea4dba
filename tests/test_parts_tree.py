"""Answers of parts are added along one tree, and their facts are those of all rows."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from parted_rows import D, N, rows
from steepest import _core
from steepest.parts.facts import Facts, TargetFacts
from steepest.parts.tree import Tree


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
