"""Checkpoints of estimators and of the command line."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from checkpoints import BrokenOffError, assert_same_bits, broken_off

sklearn = pytest.importorskip("sklearn")

from steepest.checkpoint.format import contents_of  # noqa: E402
from steepest.estimators import LinearRegressor, LogisticClassifier  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(n=400, d=6, seed=1, classes=2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * [1, 1, 1, 10, 10, 0.1] + [0, 0, 5, 0, 900, 0]
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal((d, classes))
    return X, z[:, 0] + rng.standard_normal(n), np.argmax(z + rng.gumbel(size=z.shape), axis=1)


X, NUMBERS, LABELS = rows()
MORE = rows(classes=4)[2]

FITS = {
    "regression": (lambda **more: LinearRegressor(**more), NUMBERS, {}),
    "Huber": (lambda **more: LinearRegressor(loss="huber", **more), NUMBERS, {}),
    "two classes": (lambda **more: LogisticClassifier(standardize=True, **more), LABELS, {}),
    "four classes": (lambda **more: LogisticClassifier(standardize=True, **more), MORE, {}),
    "mini-batches": (lambda **more: LogisticClassifier("adam", batch_size=32, max_iter=9, **more), LABELS, {}),
    "no seed": (lambda **more: LogisticClassifier("adam", batch_size=32, max_iter=9, **more), LABELS, {}),
    "momentum": (lambda **more: LinearRegressor("momentum", standardize=True, max_iter=60, **more), NUMBERS, {}),
    "held out": (
        lambda **more: LogisticClassifier("adam", batch_size=16, early_stopping=True, max_iter=30, **more), LABELS, {},
    ),
    "validation": (
        lambda **more: LinearRegressor("momentum", standardize=True, early_stopping=True, **more), NUMBERS,
        {"X_val": X[:50] + 0.1, "y_val": NUMBERS[:50]},
    ),
    "L1": (lambda **more: LinearRegressor(alpha=0.1, l1_ratio=1.0, **more), NUMBERS, {}),
    "weights": (lambda **more: LinearRegressor(**more), NUMBERS, {"sample_weight": 1.0 + LABELS}),
}  # fmt: skip


def assert_same_model(found, expected):
    assert_same_bits(found.coef_, expected.coef_)
    assert_same_bits(found.intercept_, expected.intercept_)
    assert (found.n_iter_, found.stop_reason_, found.converged_) == (
        expected.n_iter_,
        expected.stop_reason_,
        expected.converged_,
    )
    for name in expected.history_.keys() - {"seconds"}:
        assert_same_bits(found.history_[name], expected.history_[name])


@pytest.mark.parametrize("fit", FITS)
def test_a_fit_resumes_to_the_same_bits(fit, tmp_path):
    make, y, arguments = FITS[fit]
    path = tmp_path / "run"
    seed = {"random_state": 3}
    if fit == "no seed":  # the seed of the first part is then that of all
        with pytest.raises(BrokenOffError):
            make(callbacks=broken_off(2)).fit(X, y, **arguments, checkpoint=path, checkpoint_seconds=0)
        whole = tmp_path / "whole"
        whole.write_bytes(path.read_bytes())
        expected, seed = make().fit(X, y, **arguments, checkpoint=whole), {}
    else:
        expected = make(**seed).fit(X, y, **arguments)
    for epoch in sorted({1, expected.n_iter_ // 2, expected.n_iter_} - ({1} if fit == "no seed" else set())):
        model = make(callbacks=broken_off(epoch), **seed)
        with pytest.raises(BrokenOffError):
            model.fit(X, y, **arguments, checkpoint=path, checkpoint_seconds=0)
    found = make(**seed).fit(X, y, **arguments, checkpoint=path, checkpoint_seconds=0)
    assert_same_model(found, expected)
    before = path.read_bytes()
    again = make(**seed).fit(X, y, **arguments, checkpoint=path)
    assert_same_model(again, expected)
    assert path.read_bytes() == before


def test_a_tighter_tolerance_goes_on(tmp_path):
    def fit(tol, **more):
        model = LinearRegressor("gradient-descent", standardize=True, tol=tol, max_iter=500)
        return model.fit(X, NUMBERS, **more)

    assert_same_model(fit(1e-2, checkpoint=tmp_path / "run"), fit(1e-2))
    assert_same_model(fit(1e-5, checkpoint=tmp_path / "run"), fit(1e-5))


def test_a_fit_with_other_data_is_an_error(tmp_path):
    path = tmp_path / "run"
    LogisticClassifier().fit(X, LABELS, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="must be of this problem and these settings"):
        LogisticClassifier().fit(X, 1 - LABELS, checkpoint=path)
    with pytest.raises(ValueError, match="must be of this problem and these settings"):
        LogisticClassifier(alpha=0.5).fit(X, LABELS, checkpoint=path)
    assert path.read_bytes() == before


def test_rows_held_out_without_a_seed_are_refused(tmp_path):
    model = LogisticClassifier("adam", batch_size=16, early_stopping=True)
    with pytest.raises(ValueError, match="random_state must be an integer for a checkpoint of a fit with early_stop"):
        model.fit(X, LABELS, checkpoint=tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_a_fit_without_steps_writes_nothing(tmp_path):
    model = LogisticClassifier(class_weight={0: 1.0, 1: 0.0}).fit(X, LABELS, checkpoint=tmp_path / "run")
    assert model.n_iter_ == 0
    assert os.listdir(tmp_path) == []


def test_ctrl_c_leaves_a_checkpoint(tmp_path):
    def make(**more):
        return LogisticClassifier("adam", batch_size=32, max_iter=9, random_state=0, **more)

    model = make(callbacks=broken_off(5, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, LABELS, checkpoint=tmp_path / "run", checkpoint_seconds=0)
    assert model.stop_reason_ == "interrupted"
    found = make().fit(X, LABELS, checkpoint=tmp_path / "run")
    assert_same_model(found, make().fit(X, LABELS))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    names = ",".join("abcdef")
    lines = [",".join([*map(repr, map(float, row)), "yn"[label]]) for row, label in zip(X, LABELS, strict=True)]
    path.write_text("\n".join([f"{names},y", *lines]))
    return path


BATCHES = ("--target", "y", "--batch-size", 16, "--optimizer", "adam")


def run_fit(table, *arguments):
    from command_line import run

    return run("fit", table, *BATCHES, *arguments)


def model_of(path):
    saved = json.loads(path.read_text())
    return {name: value for name, value in saved.items() if name not in ("created", "seconds")}


def test_the_command_line_saves_and_resumes(table, tmp_path, monkeypatch):
    pytest.importorskip("click")
    from steepest.cli import fitting

    assert run_fit(table, "--max-epochs", 8, "--model", tmp_path / "whole.json").exit_code == 0
    saved = ("--checkpoint", tmp_path / "run", "--checkpoint-seconds", 0, "--max-epochs", 8)
    own = fitting.estimator_of

    def breaking(options, target, rows, callbacks):
        return own(options, target, rows, [*callbacks, broken_off(5, OSError("the machine stops here"))])

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "estimator_of", breaking)
        broken = run_fit(table, *saved)
    assert broken.exit_code == 2
    assert "the machine stops here" in broken.stderr
    assert contents_of(bytearray((tmp_path / "run").read_bytes())).state["n_epochs"] == 4
    again = run_fit(table, *saved, "--resume", "--model", tmp_path / "parts.json")
    assert again.exit_code == 0, again.stderr
    assert model_of(tmp_path / "parts.json") == model_of(tmp_path / "whole.json")


def test_resume_demands_a_checkpoint(table, tmp_path):
    pytest.importorskip("click")
    from command_line import complaint

    assert "--resume needs the --checkpoint" in complaint(run_fit(table, "--resume"))
    told = complaint(run_fit(table, "--resume", "--checkpoint", tmp_path / "none"))
    assert "--resume: there is no checkpoint" in told
    assert not (tmp_path / "none").exists()


def test_a_checkpoint_of_another_fit_is_one_line(table, tmp_path):
    pytest.importorskip("click")
    from command_line import complaint

    saved = ("--checkpoint", tmp_path / "run", "--max-epochs", 3)
    assert run_fit(table, *saved).exit_code == 0
    before = (tmp_path / "run").read_bytes()
    assert "must be of this problem and these settings" in complaint(run_fit(table, *saved, "--alpha", 0.5))
    assert (tmp_path / "run").read_bytes() == before


def test_more_seconds_let_the_command_line_go_on(table, tmp_path):
    pytest.importorskip("click")
    saved = ("--checkpoint", tmp_path / "run", "--max-epochs", 6)
    assert run_fit(table, *saved, "--max-seconds", 1e-9).exit_code == 0
    assert contents_of(bytearray((tmp_path / "run").read_bytes())).state["n_epochs"] == 0
    assert run_fit(table, *saved, "--model", tmp_path / "parts.json").exit_code == 0
    assert run_fit(table, "--max-epochs", 6, "--model", tmp_path / "whole.json").exit_code == 0
    assert model_of(tmp_path / "parts.json")["coefficients"] == model_of(tmp_path / "whole.json")["coefficients"]
