"""The CUDA update kernels: against the reference, and bit for bit against the CPU's."""

from __future__ import annotations

import numpy as np
import pytest

from cases import each_rule

SIZES = [1, 2, 3, 4, 5, 31, 33, 129, 1000]


def arrays(n, dtype, n_states, seed=0):
    rng = np.random.default_rng(seed)
    w, g, *states = rng.standard_normal((2 + n_states, n)).astype(dtype)
    return w, g, [np.abs(s) for s in states]


def step(memory, optimizer, w, g, states, t, offset=0, **options):
    """w and the states after the step t on the device."""
    rule = memory.module.Rule(optimizer.rule_name, **optimizer._hyperparameters)
    pointers = [memory.put(a, offset) for a in (w, g, *states)]
    rule.step(
        w.dtype.name, pointers[0], pointers[1], tuple(pointers[2:]), w.size, optimizer.learning_rate, t,
        memory.device, memory.stream, **options
    )  # fmt: skip
    return [memory.get(pointers[i], w.size, w.dtype) for i in (0, *range(2, len(pointers)))]


@each_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("offset", [0, 1])
def test_same_bits_as_on_the_cpu(memory, rule, dtype, n, offset):
    optimizer = rule.make()
    w, g, states = arrays(n, dtype, optimizer.rule.n_states)
    found = step(memory, optimizer, w, g, states, 3, offset)
    optimizer.rule.step(w, g, tuple(states), optimizer.learning_rate, 3)
    for device, cpu in zip(found, [w, *states], strict=True):
        np.testing.assert_array_equal(device, cpu)


@each_rule
def test_proximal_step(memory, rule):
    optimizer = rule.make()
    w, g, states = arrays(130, np.float64, optimizer.rule.n_states)
    found, *_ = step(memory, optimizer, w, g, [np.zeros_like(a) for a in states], 5, l1=0.7, n_penalised=129)
    l1 = np.array([0.7] * 129 + [0.0])
    expected, _ = rule.reference(w, g, {}, 5, l1=l1, **rule.keywords)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_no_elements(memory):
    rule = memory.module.Rule("gradient_descent")
    rule.step("float32", 0, 0, (), 0, 0.1, 1, memory.device, memory.stream)


def test_wrong_arguments(memory):
    rule = memory.module.Rule("adam", beta1=0.9)
    with pytest.raises(ValueError, match="states: expected 2"):
        rule.step("float32", 0, 0, (), 0, 0.1, 1, memory.device, memory.stream)
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got float16"):
        rule.step("float16", 0, 0, (0, 0), 0, 0.1, 1, memory.device, memory.stream)
    with pytest.raises(ValueError, match="unknown rule 'lion'"):
        memory.module.Rule("lion")
