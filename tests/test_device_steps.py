"""Steps of an optimizer over arrays on a device, against those of the CPU, and its state there."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import steepest as st
from cases import each_rule
from device_arrays import Interface, on_device
from steepest import reference

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@each_rule
@each_dtype
@pytest.mark.parametrize("size", [0, 1, 33, 1000])
def test_steps_have_the_bits_of_the_cpu(cuda, rule, dtype, size):
    rng = np.random.default_rng(0)
    w = rng.standard_normal(size).astype(dtype)
    there, ours, theirs = on_device(w), rule.make(), rule.make()
    pointer = there.pointer
    for _ in range(4):
        g = rng.standard_normal(size).astype(dtype)
        ours.step(there, on_device(g))
        theirs.step(w, g)
    assert (there.pointer, ours.n_steps) == (pointer, 4)
    assert there.numpy().tobytes() == w.tobytes()
    for name, array in ours.state_dict()["state"].items():
        assert array.tobytes() == theirs.state_dict()["state"][name].tobytes()


@each_rule
@pytest.mark.parametrize("carry", [lambda o: o.state_dict(), lambda o: pickle.loads(pickle.dumps(o)).state_dict()])
def test_state_goes_to_the_host_and_back(cuda, rule, carry):
    w, g = np.linspace(-1, 1, 9), np.cos(np.arange(9.0))
    there, first = on_device(w), rule.make()
    first.step(there, on_device(g))
    state = carry(first)
    assert all(isinstance(array, np.ndarray) for array in state["state"].values())
    on_host, on_dev = rule.make(), rule.make()
    on_host.load_state_dict(state)
    on_dev.load_state_dict(state)
    host, again = there.numpy(), on_device(there.numpy())
    on_host.step(host, g)
    on_dev.step(again, on_device(g))
    assert again.numpy().tobytes() == host.tobytes()
    if first.state_dict()["state"]:
        with pytest.raises(ValueError, match=r"^w must be on a CUDA device as in the steps before, got float64"):
            first.step(host, g)
    first.reset()
    first.step(host, g)


BAD_STEPS = {
    "two dtypes": (np.zeros(4), np.zeros(4, np.float32), TypeError, r"^gradient .*float64.*float32"),
    "two shapes": (np.zeros(4), np.zeros(5), ValueError, r"^gradient .*\(4,\).*\(5,\)"),
    "half precision": (np.zeros(4, np.float16), np.zeros(4, np.float16), TypeError, r"^w .*float16"),
}


@pytest.mark.parametrize("case", BAD_STEPS)
def test_bad_steps_are_named(cuda, case):
    w, g, error, message = BAD_STEPS[case]
    optimizer = st.Adam()
    with pytest.raises(error, match=message):
        optimizer.step(on_device(w), on_device(g))
    assert optimizer.n_steps == 0


def test_bad_memory_of_a_step_is_named(cuda):
    whole = on_device(np.zeros(10))
    part = Interface(whole, shape=(4,), data=(whole.pointer + 24, False))
    cases = {
        "overlap": (Interface(whole, shape=(4,)), part),
        "read-only": (Interface(whole, read_only=True), on_device(np.zeros(10))),
        "C-contiguous": (Interface(whole, shape=(5,), strides=(16,)), on_device(np.zeros(5))),
        "got list": (whole, [0.0] * 10),
    }
    for message, arrays in cases.items():
        with pytest.raises((TypeError, ValueError), match=message):
            st.GradientDescent(0.1).step(*arrays)


def test_state_holds_on_to_size_and_dtype(cuda):
    optimizer = st.Adam()
    optimizer.step(on_device(np.zeros(9)), on_device(np.ones(9)))
    for other in (np.zeros(8), np.zeros(9, np.float32)):
        with pytest.raises(ValueError, match=r"^w must be float64 of shape \(9,\) on CUDA device 0 as in the steps"):
            optimizer.step(on_device(other), on_device(other))
    assert optimizer.n_steps == 1


def test_the_reference_is_followed(cuda):
    w, g, optimizer = on_device(np.ones(5)), np.arange(5.0), st.Adam(0.1)
    expected, state = np.ones(5), {}
    for t in (1, 2, 3):
        optimizer.step(w, on_device(g))
        expected, state = reference.adam(expected, g, state, t, learning_rate=0.1)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-14)
