"""Every update rule against the NumPy reference and torch.optim: a new rule is one row in cases.py."""

from __future__ import annotations

import io
import math
import pickle

import numpy as np
import pytest

import steepest as st
from cases import RULES, each_rule

SIZES = [0, 1, 7, 8, 9, 31, 32, 33, 1000]
LARGE = 300_001  # well past where the update goes to several threads, and no multiple of any vector
TOLERANCE = {np.float32: 5e-6, np.float64: 1e-13}  # of the largest |w|, after 50 steps

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def start(size, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(dtype)


def gradients(size, dtype, steps):
    """Gradients over four decades, with zeros among them, a slowly turning mixture of two random arrays."""
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(size) * 10.0 ** rng.integers(-3, 2, size) for _ in range(2))
    a[::5] = b[::5] = 0.0
    for t in range(steps):
        yield (math.cos(t) * a + math.sin(t) * b).astype(dtype)


def follow(rule, w, steps, schedule=None, **more):
    """The optimizer's w and the reference's after the same steps."""
    optimizer = rule.make(**({"learning_rate": schedule} if schedule else {}), **more)
    expected, state = w.astype(np.float64), {}
    for t, g in enumerate(gradients(w.size, w.dtype, steps), start=1):
        optimizer.step(w, g)
        rate = {"learning_rate": schedule(t - 1)} if schedule else {}
        expected, state = rule.reference(expected, g, state, t, **{**rule.keywords, **more, **rate})
    assert optimizer.n_steps == steps
    return w, expected


def assert_close(w, expected):
    np.testing.assert_allclose(w, expected, rtol=0, atol=TOLERANCE[w.dtype.type] * np.abs(expected).max(initial=1.0))


@each_rule
@each_dtype
@pytest.mark.parametrize("size", SIZES)
def test_follows_the_reference(rule, dtype, size):
    assert_close(*follow(rule, start(size, dtype), 50))


@each_rule
@each_dtype
def test_follows_the_reference_on_several_threads(rule, dtype):
    with st.threads(3):
        assert_close(*follow(rule, start(LARGE, dtype), 50))


@each_rule
def test_follows_a_schedule(rule):
    assert_close(*follow(rule, start(33, np.float64), 50, st.schedules.StepDecay(0.05, 0.5, 7)))
    assert_close(*follow(rule, start(33, np.float64), 50, lambda t: 0.05 / (1 + t)))


@each_dtype
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.torch], ids=str)
def test_follows_torch(rule, dtype):
    torch = pytest.importorskip("torch")
    ours, w, (name, torch_keywords) = rule.make(), start(1000, dtype), rule.torch
    parameter = torch.nn.Parameter(torch.tensor(w))
    theirs = getattr(torch.optim, name)([parameter], **torch_keywords)
    for g in gradients(1000, dtype, 50):
        ours.step(w, g)
        parameter.grad = torch.tensor(g)
        theirs.step()
    assert_close(w, parameter.detach().numpy().astype(np.float64))


@each_rule
@each_dtype
@pytest.mark.parametrize("size", [1000, LARGE])
def test_same_bits_for_any_number_of_threads(rule, dtype, size):
    results = []
    for threads in (1, 2, 3, 4, 8):
        optimizer, w = rule.make(), start(size, dtype)
        with st.threads(threads):
            for g in gradients(size, dtype, 2):
                optimizer.step(w, g)
        results.append(w.tobytes())
    assert len(set(results)) == 1


@each_rule
@each_dtype
def test_same_bits_at_any_alignment(rule, dtype):
    results = []
    for offset in range(4):
        w, optimizer = np.zeros(100 + offset, dtype)[offset:], rule.make()
        w[:] = start(100, dtype)
        for g in gradients(100, dtype, 3):
            optimizer.step(w, g)
        results.append(w.tobytes())
    assert len(set(results)) == 1


def test_works_in_place_and_reads_the_gradient_only():
    w, g = start(9, np.float64), start(9, np.float64, seed=2)
    before = g.copy()
    g.flags.writeable = False
    whole = np.concatenate([[7.0], w, [7.0]])
    assert st.GradientDescent(0.5).step(whole[1:-1], g) is None
    np.testing.assert_array_equal(whole, [7.0, *(w - 0.5 * g), 7.0])
    np.testing.assert_array_equal(g, before)


@each_dtype
@pytest.mark.parametrize("velocity", ["sum", "average", "step"])
def test_momentum_of_zero_is_gradient_descent_bit_for_bit(velocity, dtype):
    plain, w = st.GradientDescent(0.05), start(1000, dtype)
    heavy, v = st.Momentum(0.05, momentum=0.0, velocity=velocity), w.copy()
    for g in gradients(1000, dtype, 20):
        plain.step(w, g)
        heavy.step(v, g)
    assert w.tobytes() == v.tobytes()


@each_dtype
def test_first_step_of_adam_is_the_learning_rate(dtype):
    # Only if 1 - beta2 keeps its digits: formed in float32 it is wrong by 1e-5.
    w = np.zeros(4, dtype)
    st.Adam(0.25).step(w, np.array([1.0, -3.0, 100.0, 0.0], dtype))
    np.testing.assert_allclose(w, [-0.25, 0.25, -0.25, 0.0], rtol=1e-6 if dtype is np.float32 else 2e-8)


def test_weight_decay_is_decoupled_and_acts_on_every_parameter():
    w, optimizer = np.array([2.0, -1.0, 0.5]), st.Adam(0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.step(w, np.zeros(3))
    np.testing.assert_allclose(w, np.array([2.0, -1.0, 0.5]) * 0.95**3, rtol=1e-15)


def through_pickle(state):
    return pickle.loads(pickle.dumps(state))


def through_savez(state):
    file = io.BytesIO()
    np.savez(file, **state["state"])
    file.seek(0)
    with np.load(file) as arrays:
        return {**state, "state": dict(arrays)}


@each_rule
@each_dtype
@pytest.mark.parametrize("carry", [lambda state: state, through_pickle, through_savez])
def test_state_goes_round_bit_for_bit(rule, dtype, carry):
    first, w = rule.make(), start(33, dtype)
    steps = list(gradients(33, dtype, 8))
    for g in steps[:4]:
        first.step(w, g)
    state, v = first.state_dict(), w.copy()
    assert state["name"] == rule.optimizer.__name__
    assert state["n_steps"] == 4
    for g in steps[4:]:
        first.step(w, g)
    second = rule.make()
    second.step(np.ones(5, dtype), np.ones(5, dtype))  # what it held before is forgotten
    second.load_state_dict(carry(state))  # taken before the last four steps, which must not have changed it
    assert second.n_steps == 4
    for g in steps[4:]:
        second.step(v, g)
    assert v.tobytes() == w.tobytes()


def test_state_of_another_rule_is_refused():
    with pytest.raises(ValueError, match=r"Momentum.*Adam|Adam.*Momentum"):
        st.Adam().load_state_dict(st.Momentum(0.1).state_dict())


@each_rule
def test_fresh_state_starts_again(rule):
    optimizer = rule.make()
    fresh, results = optimizer.state_dict(), []
    for _ in range(2):
        optimizer.load_state_dict(fresh)
        w = start(9, np.float64)
        for g in gradients(9, np.float64, 3):
            optimizer.step(w, g)
        results.append(w.tobytes())
    assert results[0] == results[1]


def read_only(array):
    array.flags.writeable = False
    return array


def overlapping():
    buffer = np.zeros(15)
    return buffer[:10], buffer[5:]


BAD_ARRAYS = {
    "w is a list": (lambda: ([0.0] * 10, np.zeros(10)), TypeError, r"^w\b"),
    "w of integers": (lambda: (np.zeros(10, int), np.zeros(10)), TypeError, r"^w\b.*float32.*int64"),
    "w of half precision": (lambda: (np.zeros(10, np.float16), np.zeros(10, np.float16)), TypeError, r"^w\b.*float16"),
    "two dtypes": (lambda: (np.zeros(10), np.zeros(10, np.float32)), TypeError, r"^gradient\b.*float64.*float32"),
    "two shapes": (lambda: (np.zeros(10), np.zeros(9)), ValueError, r"^gradient\b.*10.*9"),
    "gradient with another axis": (lambda: (np.zeros(10), np.zeros((1, 10))), ValueError, r"^gradient\b.*10"),
    "w with strides": (lambda: (np.zeros(20)[::2], np.zeros(10)), ValueError, r"^w\b.*contiguous"),
    "gradient with strides": (lambda: (np.zeros(10), np.zeros(20)[::2]), ValueError, r"^gradient\b.*contiguous"),
    "w reversed": (lambda: (np.zeros(10)[::-1], np.zeros(10)), ValueError, r"^w\b.*contiguous"),
    "w read-only": (lambda: (read_only(np.zeros(10)), np.zeros(10)), ValueError, r"^w\b.*(writ|read-only)"),
    "the same array": (lambda: (np.zeros(10),) * 2, ValueError, "overlap"),
    "overlapping arrays": (overlapping, ValueError, "overlap"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
@pytest.mark.parametrize("optimizer", [lambda: st.GradientDescent(0.1), st.Adam])
def test_bad_arrays_are_named(case, optimizer):
    arrays, error, message = BAD_ARRAYS[case]
    w, g = arrays()
    before = np.array(w)
    optimizer = optimizer()
    with pytest.raises(error, match=message):
        optimizer.step(w, g)
    np.testing.assert_array_equal(w, before)
    assert optimizer.n_steps == 0


@pytest.mark.parametrize("other", [np.zeros(8), np.zeros(9, np.float32), [0.0] * 9])
def test_state_holds_on_to_size_and_dtype(other):
    optimizer = st.Adam()
    optimizer.step(np.zeros(9), np.ones(9))
    with pytest.raises((TypeError, ValueError), match=r"^w\b"):
        optimizer.step(other, np.ones_like(other))


BAD_ARGUMENTS = [
    *(
        (optimizer, {"learning_rate": rate}, "learning_rate")
        for optimizer in (st.GradientDescent, st.Momentum, st.AdaGrad, st.RMSProp, st.Adam)
        for rate in (0, 0.0, -0.1, math.nan, math.inf, "fast", None, True)
    ),
    *((optimizer, {"learning_rate": "auto"}, "auto") for optimizer in (st.AdaGrad, st.RMSProp, st.Adam)),
    (st.Momentum, {"momentum": -0.1}, "momentum"),
    (st.Momentum, {"momentum": math.nan}, "momentum"),
    (st.Momentum, {"momentum": "0.9"}, "momentum"),
    (st.Momentum, {"velocity": "sums"}, "velocity.*sums"),
    (st.Momentum, {"velocity": None}, "velocity"),
    (st.Momentum, {"velocity": "average", "nesterov": True}, "nesterov.*average"),
    (st.Momentum, {"velocity": "step", "nesterov": True}, "nesterov.*step"),
    (st.AdaGrad, {"epsilon": -1e-8}, "epsilon"),
    (st.RMSProp, {"epsilon": math.nan}, "epsilon"),
    (st.RMSProp, {"rho": -0.1}, "rho"),
    (st.RMSProp, {"rho": 1.5}, "rho"),
    (st.Adam, {"epsilon": -1.0}, "epsilon"),
    (st.Adam, {"beta1": -0.1}, "beta1"),
    (st.Adam, {"beta1": 1.0}, "beta1"),
    (st.Adam, {"beta2": 1.0}, "beta2"),
    (st.Adam, {"beta2": math.inf}, "beta2"),
    (st.Adam, {"weight_decay": -0.1}, "weight_decay"),
]


@pytest.mark.parametrize(("optimizer", "keywords", "message"), BAD_ARGUMENTS)
def test_bad_hyperparameters_are_named(optimizer, keywords, message):
    with pytest.raises((TypeError, ValueError), match=message):
        optimizer(**{"learning_rate": 0.1, **keywords})
