"""Whose run a checkpoint is: what another problem, another setting and another place are, and what has none."""

from __future__ import annotations

import os

import numpy as np
import pytest

import steepest as st
from checkpoint_problems import bowl, logistic
from steepest.arrays.digest import digest_of
from steepest.descent import checkpoints as module
from test_checkpoint import table

X, Y, _ = table()


def call(path, **changed):
    """A run with one thing changed, of a checkpoint that one without changes wrote."""
    own = {
        "X": X, "y": Y, "sample_weight": None, "alpha": 0.01, "l1_ratio": 0.0, "intercept": True, "centre": None,
        "scale": None, "loss": st.Logistic, "w0": None, "optimizer": st.Momentum(0.1), "batch_size": 8,
        "random_state": 1, "validation": (X, Y), "stop": [st.stop.LossChange(0.0)],
    }  # fmt: skip
    own.update(changed)
    names = ("X", "y", "sample_weight", "alpha", "l1_ratio", "intercept", "centre", "scale")
    data = {name: own.pop(name) for name in names}
    loss, w0, optimizer = (own.pop(name) for name in ("loss", "w0", "optimizer"))
    objective = loss(**data)
    if w0 is not None:
        w0 = np.full(objective.n_parameters, w0)
    return st.minimize(objective, w0, optimizer, **{"max_epochs": 3, **own}, checkpoint=path)


def changed_one(array):
    array = array.copy()
    array.flat[array.size // 2] = np.nextafter(array.flat[array.size // 2], 9.0)
    return array


OTHERS = {
    "X": {"X": changed_one(X)},
    "the order of X": {"X": np.asfortranarray(X)},
    "y": {"y": 1.0 - Y},
    "the weights": {"sample_weight": np.ones(len(Y))},
    "the loss": {"loss": st.LeastSquares},
    "a parameter of the loss": {"loss": lambda **data: st.Huber(delta=2.0, **data)},
    "alpha": {"alpha": 0.02},
    "l1_ratio": {"l1_ratio": 0.1},
    "intercept": {"intercept": False},
    "the scaling": {"centre": np.zeros(5), "scale": np.ones(5)},
    "the start": {"w0": 0.25},
    "the rule": {"optimizer": st.Adam(0.1)},
    "the rate": {"optimizer": st.Momentum(0.2)},
    "the schedule": {"optimizer": st.Momentum(st.schedules.StepDecay(0.1))},
    "a hyperparameter": {"optimizer": st.Momentum(0.1, momentum=0.8)},
    "another form of the rule": {"optimizer": st.Momentum(0.1, nesterov=True)},
    "the batch size": {"batch_size": 9},
    "all rows": {"batch_size": None},
    "shuffle": {"shuffle": False},
    "the seed": {"random_state": 2},
    "the constraint": {"constraint": st.Box(-1.0, 1.0)},
    "the kinds of rules": {"stop": []},
    "evaluate_every": {"evaluate_every": 2},
    "record_path": {"record_path": True},
    "no validation": {"validation": None, "stop": [st.stop.LossChange(0.0)]},
    "other validation data": {"validation": (changed_one(X), Y)},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("another") / "run"
    call(path)
    return path


@pytest.mark.parametrize("changed", OTHERS)
def test_another_problem_or_setting_is_an_error_that_changes_nothing(changed, written):
    before = written.read_bytes()
    with pytest.raises(
        ValueError, match=r"run' must be of this problem and these settings, got another run's \(.*expe"
    ):
        call(written, **OTHERS[changed])
    assert written.read_bytes() == before
    assert sorted(os.listdir(written.parent)) == ["run"]
    assert call(written).n_epochs == 3


def test_equal_things_in_other_objects_are_the_same_run(written):
    schedule = np.float64(0.1)
    again = call(written, X=X.copy(), optimizer=st.Momentum(schedule), w0=0.0, validation=st.Logistic(X, Y))
    assert again.n_epochs == 3


def test_the_error_names_what_differs(written):
    with pytest.raises(ValueError, match=r"remove the file to start again") as error:
        call(written, alpha=0.5)
    assert "(alpha: expected 0.5, found 0.01)" in str(error.value)
    with pytest.raises(ValueError, match=f"X: expected {digest_of(changed_one(X))}, found {digest_of(X)}"):
        call(written, X=changed_one(X))
    with pytest.raises(ValueError, match=r"objective: expected .*LeastSquares, found .*Logistic; .* and \d others"):
        call(written, loss=st.LeastSquares, alpha=0.0, batch_size=None)


class Forgets(st.stop.StopRule):
    def reset(self):
        self.count = 0

    def __call__(self, progress):
        return False


def test_what_has_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(ValueError, match="checkpoint must be None for several starts"):
        st.minimize(logistic(), starts=2, checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint must be None where reset=False goes on"):
        st.minimize(logistic(), optimizer=st.Adam(), reset=False, checkpoint=path)
    with pytest.raises(TypeError, match=r"rules with the methods state and resume for a checkpoint.*of Forgets"):
        st.minimize(logistic(), stop=Forgets(), checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint_seconds must be"):
        st.minimize(logistic(), checkpoint=path, checkpoint_seconds=-1)
    with pytest.raises(ValueError, match="checkpoint_seconds must be"):
        st.minimize(logistic(), checkpoint_seconds=-1)
    with pytest.raises(TypeError, match=r"options must be those of minimize, .*got checkpoint"):
        st.grid_search(logistic(), st.Adam(), [0.1], checkpoint=path)
    assert os.listdir(tmp_path) == []


def test_data_without_digests_have_no_checkpoint(tmp_path, monkeypatch):
    objective = logistic()
    monkeypatch.setattr(type(objective.data), "supports", lambda self, capability: capability != "digests")
    with pytest.raises(TypeError, match=r"checkpoint needs an objective with digests of its data.*use checkpoint=None"):
        st.minimize(objective, optimizer=st.Adam(), checkpoint=tmp_path / "run")


def test_a_function_is_known_by_its_name_alone(tmp_path):
    start = np.ones(3)
    st.minimize(st.Function(bowl, 3), start, st.Adam(), max_epochs=2, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match=r"function: expected \S*<lambda>, found checkpoint_problems.bowl"):
        st.minimize(st.Function(lambda w: bowl(w), 3), start, st.Adam(), checkpoint=tmp_path / "run")


@pytest.mark.parametrize("name", ["version", "isa"])
def test_another_place_is_a_warning(name, tmp_path, monkeypatch):
    options = {"optimizer": st.Adam(), "checkpoint": tmp_path / "run"}
    st.minimize(logistic(), **options, max_epochs=2)
    if name == "version":
        monkeypatch.setattr(module, "installed_version", lambda: "9.9")
    else:
        monkeypatch.setattr(module._core, "isa_level", lambda: "another")
    with pytest.warns(st.CheckpointWarning, match=rf"written elsewhere .{name}: expected .*bits may differ"):
        st.minimize(logistic(), **options, max_epochs=4)


def test_digests_tell_contents_shapes_orders_and_dtypes_apart():
    sparse = pytest.importorskip("scipy.sparse")
    big = np.arange(3 << 20, dtype=np.float64)
    csr = sparse.csr_array(np.where(np.abs(X) > 1, X, 0))
    other = csr.copy()
    other.indices[-1] ^= 1
    codes = st.Categorical(np.arange(61, dtype=np.int8) % 3, 3)
    things = [
        X, X[:-1], X.T.copy(), np.asfortranarray(X), X.astype(np.float32), X.ravel(), changed_one(X),
        np.zeros(2), np.zeros(2, np.int64), np.zeros((2, 0)), np.zeros((0, 2)), big, changed_one(big),
        st.Table(X), st.Table(X[:, :2].copy(), X[:, 2:].copy()), st.Table(X, codes), st.Table(X, csr),
        st.Table(X, other),
        st.Table(X, st.Categorical(np.arange(61, dtype=np.int8) % 3, 4)),
        st.Table(X, st.Categorical(np.arange(61, dtype=np.int8) % 3, 3, "first")),
    ]  # fmt: skip
    found = [digest_of(each) for each in things]
    assert len(set(found)) == len(things)
    assert digest_of(big) == digest_of(big.copy())
    assert digest_of(X[:, ::2]) == digest_of(X[:, ::2].copy())
    objectives = [st.Logistic(each, Y) for each in (csr, other, st.Table(csr))]
    assert len({each.data.digests()["X"] for each in objectives}) == 3
