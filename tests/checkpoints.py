"""Helpers for the tests of checkpoints: runs that are broken off, and results compared bit by bit."""

from __future__ import annotations

import numpy as np

import steepest as st
from steepest.checkpoint.format import Contents, bytes_of, contents_of


class BrokenOffError(Exception):
    """What ends a run of a test from within a callback."""


def through_a_file(state):
    """A state as a file gives it back."""
    data = bytearray(b"".join(bytes_of(Contents({}, state))))
    return contents_of(data).state


def broken_off(epoch, error=BrokenOffError):
    """A callback that raises an error at an evaluated epoch."""

    def callback(progress):
        if progress.epoch == epoch:
            raise error

    return callback


def resumed(make, path, epochs, **options):
    """The result of a run that is broken off at each of some epochs and resumed with new objects.

    ``make`` returns the positional arguments of minimize and its options.
    """
    for epoch in epochs:
        arguments, own = make()
        own = {**own, **options, "checkpoint": path, "checkpoint_seconds": 0}
        error = [BrokenOffError, KeyboardInterrupt][epoch % 2]
        try:
            result = st.minimize(*arguments, **own, callbacks=[broken_off(epoch, error)])
            assert error is KeyboardInterrupt
            assert result.stop_reason == "interrupted"
        except BrokenOffError:
            pass
    arguments, own = make()
    return st.minimize(*arguments, **own, **options, checkpoint=path, checkpoint_seconds=0)


def assert_same_result(found, expected):
    """That two results have the same bits, but for the seconds."""
    assert (found.stop_reason, found.n_epochs, found.n_steps) == (
        expected.stop_reason,
        expected.n_epochs,
        expected.n_steps,
    )
    assert_same_bits(found.w, expected.w)
    assert_same_bits(np.float64(found.value), np.float64(expected.value))
    assert found.history.keys() == expected.history.keys()
    for name in found.history.keys() - {"seconds"}:
        assert_same_bits(found.history[name], expected.history[name])
    assert (np.diff(found.history["seconds"]) >= 0.0).all()
    assert found.converged == expected.converged
    assert found.best_epoch == expected.best_epoch
    assert (found.diagnosis, found.diagnosis.kind) == (expected.diagnosis, expected.diagnosis.kind)
    if expected.path is not None:
        assert_same_bits(found.path, expected.path)


def assert_same_bits(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()
