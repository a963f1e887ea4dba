"""Files that are saved whole or not at all: models, pictures, predictions."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

import steepest as st
from command_line import FRAME, PRICE, complaint, process, run
from steepest.cli.saving import saving

OLD = b"the old content"
MODEL = st.LinearRegressor().fit(np.array([[0.0], [1.0]]), np.array([1.0, 3.0]))
MODEL.coef_, MODEL.intercept_ = np.array([2.0]), np.float64(1)


def test_a_new_file_has_the_permissions_of_any_other_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    with saving(tmp_path / "new") as file:
        file.write(b"abc")
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "other"]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    path.chmod(0o640)
    with saving(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == OLD
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "file").write_bytes(OLD)

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise error("stop")

    with pytest.raises(error), saving(tmp_path / "file") as file:
        fail(file)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == OLD


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with saving(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device_is_written_directly_and_named_where_it_is_full(tmp_path: Path) -> None:
    (tmp_path / "out.csv").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: .*out\.csv"):
        st.save_model(MODEL, tmp_path / "out.csv")
    with saving("/dev/null") as file:
        file.write(b"abc")
    assert not Path("/dev/null").is_file()


def outputs(folder: Path) -> dict[str, tuple[object, ...]]:
    FRAME.to_csv(folder / "table.csv", index=False)
    fit = ("fit", folder / "table.csv", *PRICE, "--quiet")
    assert run(*fit, "--model", folder / "fitted.json").exit_code == 0
    predict = ("predict", folder / "fitted.json", folder / "table.csv", "--output")
    return {
        "model.json": (*fit, "--model", folder / "model.json"),
        **{f"loss.{kind}": (*fit, "--plot", folder / f"loss.{kind}") for kind in ("png", "svg", "pdf")},
        **{f"out.{kind}": (*predict, folder / f"out.{kind}") for kind in ("csv", "npy", "parquet")},
    }


# A limit on the size of files stands for a full disk: the system refuses bytes half-way through the writing.
LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
from steepest.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize(
    "name",
    [
        "model.json",
        "loss.png",
        "out.csv",
        "out.parquet",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("loss.svg", "loss.pdf", "out.npy")),
    ],
)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    arguments = outputs(tmp_path)[name]
    (tmp_path / name).write_bytes(OLD)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert name in complaint(process(*arguments, code=LIMITED))
    assert (tmp_path / name).read_bytes() == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    result = run(*arguments)
    assert result.exit_code == 0, result
    assert (tmp_path / name).stat().st_size > 100


# The process kills itself at the first synchronisation, when all bytes are written and none is safe.
KILLED = """
import os, signal, sys
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
import numpy as np, steepest as st
st.save_model(st.LinearRegressor().fit(np.array([[0.0], [1.0]]), np.array([1.0, 4.0])), sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_process_leaves_the_old_model(tmp_path: Path) -> None:
    st.save_model(MODEL, tmp_path / "model.json")
    killed: Any = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "model.json")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert st.load_model(tmp_path / "model.json").predict([[3.0]]).tolist() == [7.0]
    left = list(tmp_path.glob(".steepest-*.tmp"))
    assert len(left) == 1
    st.save_model(MODEL, tmp_path / "model.json")
    assert left[0].exists()  # it may be another machine's, which is about to rename it
    age(left[0])
    st.save_model(MODEL, tmp_path / "model.json")
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def age(path: Path) -> None:
    then = time.time() - 2 * 3600
    os.utime(path, (then, then))


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of files")
def test_a_file_that_is_being_saved_is_not_taken_for_a_stale_one(tmp_path: Path) -> None:
    (tmp_path / ".steepest-mine.tmp").write_bytes(OLD)  # of no name that saving gives
    age(tmp_path / ".steepest-mine.tmp")
    with saving(tmp_path / "slow") as file:
        file.write(b"slow")
        file.flush()
        age(next(tmp_path.glob(".steepest-????????????????.tmp")))
        st.save_model(MODEL, tmp_path / "model.json")
    assert (tmp_path / "slow").read_bytes() == b"slow"
    assert (tmp_path / ".steepest-mine.tmp").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    st.save_model(MODEL, tmp_path / "model.json")
    (tmp_path / "model.json").chmod(0o444)
    with pytest.raises(PermissionError, match=r"read-only: .*model\.json"):
        st.save_model(MODEL, tmp_path / "model.json")


def test_predictions_are_the_same_bytes_on_stdout_and_in_a_file(tmp_path: Path) -> None:
    st.save_model(MODEL, tmp_path / "model.json")
    np.save(tmp_path / "table.npy", [[1.0], [2.5]])
    run("predict", tmp_path / "model.json", tmp_path / "table.npy", "--output", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "prediction\n3.0\n6.0\n"
    assert run("predict", tmp_path / "model.json", tmp_path / "table.npy").stdout == "prediction\n3.0\n6.0\n"
