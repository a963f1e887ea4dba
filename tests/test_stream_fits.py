"""Fits over streams: of blocks, of files, with mini-batches from a buffer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from parted_rows import LOSSES, K, rows
from steepest.objectives.parts import Parts

CUTS = [0, 64, 128, 192, 256, 320, 384, 403]  # of part_rows=64


def blocks(loss, dtype="float64", sparse=False):
    """The rows in blocks that are not those of the parts, and the whole arrays."""
    X, y, weight = rows(loss, dtype)
    if sparse:
        X[np.abs(X) < 0.5] = 0.0
        X = sp.csr_array(X)
    cuts = [0, 100, 101, 300, len(y)]
    return [(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(cuts)], (X, y, weight)


def stream_of(loss, dtype="float64", sparse=False, **options):
    each, whole = blocks(loss, dtype, sparse)
    return st.open_stream(each, part_rows=64, **options), whole


def with_classes(loss):
    return {"n_classes": K} if loss == "Softmax" else {}


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_stream_goes_where_X_goes(loss, dtype, sparse):
    stream, (X, y, weight) = stream_of(loss, dtype, sparse)
    options = {"alpha": 0.01, **with_classes(loss)}
    found, expected = getattr(st, loss)(stream, **options), getattr(st, loss)(X, y, sample_weight=weight, **options)
    assert found.n_samples == 403
    assert found.weight_sum == expected.weight_sum
    w = np.random.default_rng(1).normal(size=found.n_parameters).astype(dtype)
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-13}
    shape = (K, -1) if loss == "Softmax" else (-1,)
    value, gradient = found.value_and_gradient(w.reshape(shape))
    np.testing.assert_allclose(value, expected.value(w), **close)
    np.testing.assert_allclose(gradient, expected.gradient(w.reshape(shape)), **close)
    result, least = st.minimize(found), st.minimize(expected)
    assert result.converged
    np.testing.assert_allclose(result.value, least.value, rtol=1e-5 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_stream_has_the_bits_of_its_parts_in_memory(loss):
    stream, (X, y, weight) = stream_of(loss)
    parts = Parts.of([(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(CUTS)])
    results = [st.minimize(getattr(st, loss)(each, alpha=0.01, **with_classes(loss))) for each in (stream, parts)]
    assert results[0].w.tobytes() == results[1].w.tobytes()
    assert results[0].history["loss"].tobytes() == results[1].history["loss"].tobytes()


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_mini_batches_of_a_buffer_of_all_parts_are_those_in_memory(sparse):
    stream, (X, y, weight) = stream_of("Logistic", sparse=sparse)
    assert stream.buffer_parts >= len(stream.sizes)
    settings = {"batch_size": 16, "max_epochs": 3, "random_state": 4, "diagnose": False}
    found = st.minimize(st.Logistic(stream, alpha=0.1), None, st.Adam(0.05), **settings)
    expected = st.minimize(st.Logistic(X, y, sample_weight=weight, alpha=0.1), None, st.Adam(0.05), **settings)
    assert found.w.tobytes() == expected.w.tobytes()


@pytest.fixture
def files(tmp_path):
    X, y, weight = rows("Logistic", "float32")
    for name, array in (("X", X), ("y", y), ("weight", weight)):
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path, (X, y, weight)


def test_mini_batches_come_from_a_file_larger_than_memory(files):
    folder, (X, y, weight) = files
    paths = tuple(folder / f"{name}.npy" for name in ("X", "y", "weight"))
    stream = st.open_stream(paths, part_rows=40, memory="1 MiB")
    object.__setattr__(stream, "buffer_parts", 3)
    objective = st.Logistic(stream, alpha=0.1)
    rule = st.Adam(st.schedules.InverseTimeDecay(0.05, 1.0, every=200))
    found = st.minimize(objective, None, rule, batch_size=20, max_epochs=60, random_state=0, diagnose=False)
    least = st.minimize(st.Logistic(X, y, sample_weight=weight, alpha=0.1))
    assert found.value - least.value < 0.01 * (np.log(2) - least.value)
    again = st.minimize(objective, None, rule, batch_size=20, max_epochs=60, random_state=0, diagnose=False)
    assert found.w.tobytes() == again.w.tobytes()


def test_text_targets_are_checked_by_their_codes():
    X, y, _ = rows("Logistic")
    names = np.where(y > 0, "yes", "no")
    stream = st.open_stream([(X, names)], part_rows=64)
    found, expected = st.minimize(st.Logistic(stream, alpha=0.1)), st.minimize(st.Logistic(X, y, alpha=0.1))
    np.testing.assert_allclose(found.w, expected.w, atol=1e-7)
    three = st.open_stream([(X, np.where(X[:, 0] > 0.2, "more", names))], part_rows=64)
    with pytest.raises(ValueError, match="labels 0 and 1 only"):
        st.Logistic(three)


@pytest.mark.parametrize("loss", ["LeastSquares", "Huber", "Poisson"])
def test_codes_of_text_are_no_numbers(loss):
    X, y, _ = rows("Logistic")
    stream = st.open_stream([(X, np.where(y > 0, "yes", "no"))], part_rows=64)
    with pytest.raises(TypeError, match=rf"^y must hold numbers for {loss}, got text"):
        getattr(st, loss)(stream)


def test_a_stream_brings_its_own_targets():
    stream, (_, y, _) = stream_of("Logistic")
    with pytest.raises(TypeError, match=r"^y must be None for X in parts"):
        st.Logistic(stream, y)


def test_a_file_that_changes_in_a_run_is_an_error(files):
    folder, (X, *_) = files
    stream = st.open_stream((folder / "X.npy", folder / "y.npy"), part_rows=40)
    objective = st.Logistic(stream, alpha=0.1)

    def change(progress):
        np.save(folder / "X.npy", X[::-1].copy())

    with pytest.raises(OSError, match=r"X\.npy"):
        st.minimize(objective, None, st.GradientDescent(0.1), callbacks=change, max_epochs=50)
