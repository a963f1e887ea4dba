"""Checkpoints of runs over parts and streams: the bits of the unbroken run, and what the steps depend on."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from checkpoints import assert_same_bits, assert_same_result, resumed
from parted_rows import LOSSES, in_parts, read_parts, rows
from test_stream_fits import stream_of, with_classes

RULES = {
    "quasi-newton": lambda: None,
    "whole": lambda: st.Momentum(1e-3),
    "rows by number": lambda: st.Adam(0.02),
    "buffer": lambda: st.Adam(0.02),
}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_that_is_broken_off_ends_with_the_same_bits(loss, kind, tmp_path):
    data = rows(loss)
    batch = {"batch_size": 16, "random_state": 3} if kind in ("rows by number", "buffer") else {}

    def make():
        X = read_parts(*data, 2) if kind == "buffer" else in_parts(*data)
        objective = getattr(st, loss)(X, alpha=0.01, **with_classes(loss))
        return (objective, None, RULES[kind]()), {"max_epochs": 6, "diagnose": False, **batch}

    arguments, options = make()
    expected = st.minimize(*arguments, **options)
    epochs = [1, 2] if kind == "quasi-newton" else [1, 2, 4]
    assert_same_result(resumed(make, tmp_path / "run", epochs), expected)


def test_a_run_over_a_file_goes_on(tmp_path):
    X, y, _ = rows("Logistic", "float32")
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)

    def make():
        stream = st.open_stream((tmp_path / "X.npy", tmp_path / "y.npy"), part_rows=40, memory="1 MiB")
        object.__setattr__(stream, "buffer_parts", 3)
        options = {"batch_size": 20, "max_epochs": 5, "random_state": 0, "diagnose": False}
        return (st.Logistic(stream, alpha=0.1), None, st.Momentum(0.01)), options

    arguments, options = make()
    assert_same_result(resumed(make, tmp_path / "run", [1, 3]), st.minimize(*arguments, **options))


def test_other_rows_and_another_buffer_are_another_run(tmp_path):
    X, y, weight = rows("Logistic")
    settings = {"batch_size": 16, "random_state": 3, "max_epochs": 2, "checkpoint": tmp_path / "run"}
    st.minimize(st.Logistic(read_parts(X, y, weight, 2), alpha=0.1), None, st.Adam(), **settings)
    with pytest.raises(ValueError, match=r"buffer: expected 3, found 2"):
        st.minimize(st.Logistic(read_parts(X, y, weight, 3), alpha=0.1), None, st.Adam(), **settings)
    X[350, 2] += 1e-9
    with pytest.raises(ValueError, match=r"X: expected \w+, found \w+"):
        st.minimize(st.Logistic(read_parts(X, y, weight, 2), alpha=0.1), None, st.Adam(), **settings)


def test_a_fit_of_a_stream_goes_on(tmp_path):
    stream, _ = stream_of("Logistic")
    settings = {"batch_size": 16, "max_iter": 8, "random_state": 0, "optimizer": "adam", "tol": 0.0}
    expected = st.LogisticClassifier(**settings).fit(stream)

    def interrupt(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    broken = st.LogisticClassifier(**settings, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        broken.fit(stream, checkpoint=tmp_path / "fit", checkpoint_seconds=0.0)
    found = st.LogisticClassifier(**settings).fit(stream, checkpoint=tmp_path / "fit")
    assert_same_bits(found.coef_, expected.coef_)
    assert found.n_iter_ == expected.n_iter_
