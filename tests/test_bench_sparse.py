"""bench_sparse.py: its data sets, its reference, that wrong answers get no time, its page and its picture."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steepest as st
from interpreter import python

pytest.importorskip("scipy")

pytestmark = pytest.mark.slow  # other packages minimise the same objectives
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
QUICK = ["--quick", "--repeats", "1"]
# In a process of its own: some peers leave the processor's rounding of small numbers, or OpenMP's threads, changed.
FITS = """
import json, sys
sys.path.insert(0, sys.argv[3])
import numpy as np
from scipy import sparse
import fit_ladder, sparse_peers
from fit_reference import Problem

kept = np.load(sys.argv[1])
X = sparse.csr_matrix(kept["X"])
problem = Problem("test", X, kept["y"], sys.argv[2], 1e-3)
found = sparse_peers.contenders(problem)
print(json.dumps({each.name: fit_ladder.timed(each, min(each.most, 2000))[1].tolist() for each in found}))
"""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def no_peers(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    """Let no package be found but SciPy, which makes the data."""
    found = load("harness").peer
    monkeypatch.setattr(load("harness"), "peer", lambda name: found(name) if name.startswith("scipy") else None)


def problem_of(load: Callable[[str], Any], kind: str) -> Any:
    """Draw 200 rows of 12 columns; a softmax has three classes."""
    random = np.random.default_rng(1)
    X = load("sparse_problems").power_law(200, 12)
    scores = X @ random.standard_normal((12, 3 if kind == "softmax" else 1)) + random.standard_normal((200, 1))
    y = {"logistic": scores[:, 0] > 0, "softmax": scores.argmax(axis=1)}.get(kind, scores[:, 0])
    return load("fit_reference").Problem(f"test/{kind}", X, np.asarray(y, np.float32), kind, 1e-3)


# The data sets


def test_power_law_columns_are_as_frequent_as_the_law_says(load: Callable[[str], Any]) -> None:
    """A draw is of column k, counted from the most frequent, with p = ((k + 1)^(1/3) - k^(1/3)) / d^(1/3).

    It is thus in 1 - (1 - p)^40 of the rows: the first of 8,000 columns in 87%, the second in 41%.
    """
    module = load("sparse_problems")
    n, d = 5_000, 8_000
    ones, floats = module.power_law(n, d, ones=True), module.power_law(n, d)
    shares = np.diff(np.arange(9) ** (1 / 3)) / d ** (1 / 3)
    expected = 1 - (1 - shares) ** 40
    assert expected[:2] == pytest.approx([0.871, 0.408], abs=1e-3)
    for X in (ones, floats):
        assert X.has_sorted_indices
        assert (X.dtype, X.indices.dtype, X.shape) == (np.float32, np.int32, (n, d))
        counts = np.sort(np.bincount(X.indices, minlength=d))[::-1]
        np.testing.assert_allclose(counts[:8] / n, expected, atol=5 * 0.5 / np.sqrt(n))
        assert 0.9 * 40 * n < X.nnz < 40 * n  # an entry drawn twice is one
    np.testing.assert_array_equal(ones.indices, floats.indices)
    assert (ones.data == 1).all()
    assert floats.sum() == pytest.approx(40 * n * np.sqrt(2 / np.pi) / np.sqrt(40), rel=0.01)


def test_labels_follow_the_scores_of_a_sparse_model(load: Callable[[str], Any]) -> None:
    module = load("sparse_problems")
    X = module.power_law(4_000, 2_000)
    y = module.labels(X)
    assert set(np.unique(y)) == {0.0, 1.0}
    assert 0.3 < y.mean() < 0.6
    random = np.random.default_rng(1)
    w = np.where(random.random(2_000) < 0.05, random.standard_normal(2_000), 0.0)
    assert 0 < (w != 0).mean() < 0.08
    scores = X @ w
    assert scores[y == 1].mean() - scores[y == 0].mean() > 0.8 * scores.std()


def test_ngrams_are_those_that_a_loop_finds(load: Callable[[str], Any]) -> None:
    """With 2^40 columns no two n-grams share one, so equal sets of n-grams and equal sets of columns are the same."""
    module = load("sparse_problems")
    words = ["a", "das", "adas", "dasa", "größe", "𝄞a"]
    found = module.ngrams(words, 1 << 30)
    expected = []
    for word in words:
        padded = f"\x02{word}\x03"
        grams = {padded[i : i + n] for n in (1, 2, 3, 4) for i in range(len(padded) - n + 1)} - {"\x02", "\x03"}
        expected.append(grams)
    columns = [set(found.indices[a:b]) for a, b in zip(found.indptr, found.indptr[1:], strict=False)]
    assert [len(here) for here in columns] == [len(grams) for grams in expected]
    for i in range(len(words)):
        for j in range(i):
            assert len(columns[i] & columns[j]) == len(expected[i] & expected[j]), (words[i], words[j])
    assert (found.data == 1).all()


def test_crosses_tell_rows_apart_as_their_codes_and_pairs_do(load: Callable[[str], Any]) -> None:
    codes = [np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([2, 2, 2, 5])]
    found = load("sparse_problems").crosses(codes, 1 << 30)
    columns = [set(row.indices) for row in found]
    assert [len(here) for here in columns] == [6] * 4  # three codes, three pairs
    shared = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]
    # Rows 0 and 1 agree in two codes and the pair of them; rows 0 and 3 in none; rows 1 and 3 in the second code.
    assert [len(columns[i] & columns[j]) for i, j in shared] == [3, 3, 0, 1, 1]
    assert load("sparse_problems").crosses(codes, 3).nnz <= 12


def test_hashed_columns_are_spread_evenly(load: Callable[[str], Any]) -> None:
    module = load("sparse_problems")
    hashed = module.mixed([np.arange(100_000) % 7, np.arange(100_000)]) % np.uint64(64)
    counts = np.bincount(hashed.astype(int), minlength=64)
    assert np.abs(counts - 100_000 / 64).max() < 6 * np.sqrt(100_000 / 64)


def test_real_data_that_are_installed_are_made(load: Callable[[str], Any]) -> None:
    made = 0
    for case in load("sparse_problems").cases(0.01):
        if case.missing():
            continue
        problem = case.make()
        made += 1
        assert problem.label == case.label
        assert problem.X.shape[0] == len(problem.y) >= 80
        assert (problem.X.dtype, problem.y.dtype, problem.X.indices.dtype) == (np.float32, np.float32, np.int32)
        if problem.kind == "logistic":
            assert 0.05 < problem.y.mean() < 0.95
        if problem.kind == "softmax":
            assert problem.n_scores == 8
    assert made


# The reference


@pytest.mark.parametrize("kind", ["logistic", "squares", "softmax"])
def test_the_reference_is_that_of_dense_rows(load: Callable[[str], Any], kind: str) -> None:
    problem = problem_of(load, kind)
    dense = load("fit_reference").Problem("dense", problem.X.toarray(), problem.y, kind, problem.alpha)
    sparse, twin = load("sparse_reference").SparseReference(problem), load("fit_reference").Reference(dense)
    w, v = np.random.default_rng(2).standard_normal((2, problem.n_scores, problem.d + 1))
    assert sparse.value(w) == pytest.approx(twin.value(w), rel=1e-12)
    np.testing.assert_allclose(sparse.gradient(w), twin.gradient(w), rtol=1e-10, atol=1e-12)
    slope = (twin.gradient(w + 1e-5 * v) - twin.gradient(w - 1e-5 * v)) / 2e-5
    np.testing.assert_allclose(sparse.hessian_product(w, v), slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["logistic", "squares", "softmax"])
def test_the_optimum_is_that_of_dense_rows(load: Callable[[str], Any], kind: str) -> None:
    problem = problem_of(load, kind)
    dense = load("fit_reference").Problem("dense", problem.X.toarray(), problem.y, kind, problem.alpha)
    twin = load("fit_reference").Reference(dense)
    right, _ = twin.optimum()
    lowest, constant = twin.value(right), twin.value(twin.best_constant())
    for start in (None, lambda: 1.5 * right):
        w, excess = load("sparse_reference").SparseReference(problem, start).optimum()
        assert 0 <= excess <= 1e-9
        assert 0 <= (twin.value(w) - lowest) / (constant - lowest) + 1e-12 <= 1e-8


# Contenders


@pytest.mark.parametrize("kind", ["logistic", "squares", "softmax"])
def test_every_contender_minimises_the_same_objective(load: Callable[[str], Any], tmp_path: Path, kind: str) -> None:
    """Those installed here; every one must come near the optimum of the reference, the stochastic ones less near."""
    problem = problem_of(load, kind)
    reference = load("sparse_reference").SparseReference(problem)
    lowest, constant = reference.value(reference.optimum()[0]), reference.value(reference.best_constant())
    np.savez(tmp_path / "problem.npz", X=problem.X.toarray(), y=problem.y)
    done = python(FITS, tmp_path / "problem.npz", kind, BENCHMARKS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "ours" in found
    for name, w in found.items():
        gap = (reference.value(np.asarray(w)) - lowest) / (constant - lowest)
        near = 5e-2 if name.endswith(("SGD", "saga")) else 1e-3 if name == "snapml" else 1e-4
        assert -1e-8 <= gap <= near, name


# Runs


@pytest.mark.usefixtures("no_peers")
@pytest.mark.parametrize(
    ("part", "only", "heading"),
    [("pass", "pass/10000/ones", "gradient"), ("epoch", "10000/AdaGrad/64", "epoch"), ("fit", "power-law", "to 1e-3")],
)
def test_quick_run_prints_a_table_and_writes_json(
    load: Callable[[str], Any],
    part: str,
    only: str,
    heading: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.json"
    assert load("bench_sparse").main([part, *QUICK, "--only", only, "--json", str(out)]) == 0
    written, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert {row["part"] for row in written["rows"]} == {part}
    row = written["rows"][0]
    assert row[heading] > 0
    assert {"rows", "columns", "non-zeros"} <= row.keys()
    assert written["machine"]["scale"] == "0.001"
    assert "- snapml: missing" in printed
    assert printed.count("\n# ") == 1


@pytest.mark.slow
def test_runs_as_a_script_with_the_peers_installed_here() -> None:
    command = [sys.executable, str(BENCHMARKS / "bench_sparse.py"), *QUICK, "--only", "10000", "--only", "power-law"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert [line for line in run.stdout.splitlines() if line.startswith("# ")] == [
        *("# Sparse data", "# One pass", "# Whole fits", "# Stochastic epochs")
    ]


@pytest.mark.usefixtures("no_peers")
def test_a_filter_that_matches_nothing_and_unknown_parts_are_errors(
    load: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    main = load("bench_sparse").main
    assert main([*QUICK, "--only", "no such case"]) == 1
    assert "no such case" in capsys.readouterr().err
    for wrong, words in ((["passes"], "got passes"), (["--scale", "0"], "got 0")):
        with pytest.raises(SystemExit):
            main(wrong)
        assert words in capsys.readouterr().err


@pytest.mark.usefixtures("no_peers")
def test_data_that_are_missing_are_named(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(load("fit_problems"), "installed", lambda package: package == "scipy")
    assert load("bench_sparse").main([*QUICK, "--only", "fit/words/romance"]) == 1
    assert "fit/words/romance: not run, missing: wordfreq" in capsys.readouterr().out


def spoiled(name: str, factor: float) -> Callable[..., Any]:
    right = getattr(st.Logistic, name)
    if name == "value_and_gradient":
        return lambda self, w: (right(self, w)[0], right(self, w)[1] * factor)
    return lambda self, w, v: right(self, w, v) * factor


@pytest.mark.usefixtures("no_peers")
@pytest.mark.parametrize(
    ("name", "reason"), [("value_and_gradient", "ones, gradient"), ("hessian_product", "ones, Hessian product")]
)
def test_a_wrong_pass_gets_no_time(
    load: Callable[[str], Any],
    name: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(st.Logistic, name, spoiled(name, 1.0001))
    assert load("bench_sparse").main(["pass", *QUICK, "--only", "10000/ones"]) == 1
    printed = capsys.readouterr()
    assert reason in printed.err
    assert not [line for line in printed.out.splitlines() if line.startswith("|")]


@pytest.mark.usefixtures("no_peers")
def test_wrong_products_of_a_peer_get_no_time(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passes = load("sparse_passes").Pass
    right = passes.scipy_product
    monkeypatch.setattr(passes, "scipy_product", lambda self: right(self) * 1.1)
    assert load("bench_sparse").main(["pass", *QUICK, "--only", "10000/ones"]) == 1
    assert "SciPy's product" in capsys.readouterr().err


@pytest.mark.usefixtures("no_peers")
def test_a_wrong_epoch_gets_no_time(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    epochs = load("sparse_epochs")
    right = epochs.RULES["AdaGrad"]
    monkeypatch.setitem(epochs.RULES, "AdaGrad", (lambda rate: right[0](1.001 * rate), *right[1:]))
    assert load("bench_sparse").main(["epoch", *QUICK, "--only", "10000/AdaGrad/1"]) == 1
    assert "AdaGrad/1, ours" in capsys.readouterr().err


def test_sgd_takes_the_steps_of_the_reference(load: Callable[[str], Any]) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    assert load("sparse_epochs").check("test", 1, "GradientDescent", linear) < 1e-4


@pytest.mark.usefixtures("no_peers")
def test_a_fit_below_the_optimum_ends_the_run(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = load("sparse_reference").SparseReference
    right = reference.optimum
    monkeypatch.setattr(reference, "optimum", lambda self: (1.02 * right(self)[0], 0.0))
    assert load("bench_sparse").main(["fit", *QUICK, "--only", "power-law"]) == 1
    assert "ours is below the optimum" in capsys.readouterr().err


# The page and the picture


def run_of(part: str) -> dict[str, Any]:
    """Return a small run, whose ratios are written here by hand."""
    machine = dict.fromkeys(("date", "processor", "memory", "system", "python", "numpy", "sklearn", "scipy"), "x")
    machine |= {"steepest": "version 1; isa v3; threads 2", "scale": "1", "snapml": "missing: not compared"}
    machine |= {"cyanure": "1", "liblinear": "2.50 (multicore)"}
    sizes = {"part": part, "rows": 500_000, "columns": 200_000, "non-zeros": 19_000_000}
    if part == "pass":
        row = {"case": "pass/200000/ones", "gradient": 0.02, "x SciPy": 2.5, "error": 1e-7}
        return {"machine": machine, "rows": [sizes | row]}
    if part == "epoch":
        row = {"case": "epoch/200000/GradientDescent/1", "epoch": 2.0, "x SGDClassifier": 5.25, "error": 1e-7}
        silent = {"case": "epoch/200000/AdaGrad/1", "epoch": 3.0, "x SGDClassifier": None, "error": 1e-7}
        return {"machine": machine, "rows": [sizes | row, sizes | silent]}
    rows = []
    for name, fine in (("ours", 1.0), ("snapml", 7.5), ("sklearn lbfgs", None)):
        times = {"to 1e-3": 0.3, "to 1e-6": fine, "x ours to 1e-3": 1.5, "x ours to 1e-6": fine}
        words = {"data set": "fit/power-law", "contender": name, "reached": 1e-7, "note": "", "scores": 1, "fits": []}
        rows.append(sizes | times | words)
    return {"machine": machine, "rows": rows}


def test_the_page_is_made_of_the_runs(load: Callable[[str], Any], tmp_path: Path) -> None:
    runs = [run_of(part) for part in ("pass", "fit", "epoch")]
    text = load("sparse_page").page(runs)
    assert [line for line in text.splitlines() if line.startswith("##")] == [
        *("## One pass", "## Whole fits", "## Stochastic epochs")
    ]
    assert "snapml was not installed and is not compared." in text
    assert "liblinear 2.50 (multicore)" in text
    assert "| 200000/ones | 19,000,000 | 20 ms | - | - | 2.50 |" in text
    assert "| power-law | 500,000 | 200,000 | 19,000,000 | 1 |" in text
    assert "| power-law | 300 ms | snapml 300 ms (1.5 x) | 1 s | - | snapml 7.5 s (7.5 x) |" in text
    assert "| 200000/GradientDescent/1 | 19,000,000 | 2 s | - | - | 5.25 |" in text
    assert "of the full sizes" not in text
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- printed by benchmarks/sparse_page.py -->\n\nold\n")
    names = []
    for i, run in enumerate(runs):
        names.append(str(tmp_path / f"{i}.json"))
        Path(names[-1]).write_text(json.dumps(run))
    assert load("sparse_page").main([*names, str(page)]) == 0
    assert page.read_text() == f"# Title\n\n<!-- printed by benchmarks/sparse_page.py -->\n\n{text}"
    page.write_text("# no marker\n")
    with pytest.raises(ValueError, match="must have the line"):
        load("sparse_page").main([*names, str(page)])
    assert load("sparse_page").main([str(page)]) == 2


def test_the_page_says_that_a_run_was_scaled(load: Callable[[str], Any]) -> None:
    run = run_of("pass")
    run["machine"]["scale"] = "0.1"
    assert "The rows and columns are 0.1 of the full sizes." in load("sparse_page").page([run])


def test_a_bar_is_the_ratio_of_the_run(load: Callable[[str], Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [row for part in ("pass", "fit", "epoch") for row in run_of(part)["rows"]]
    module = load("sparse_picture")
    figure = module.figure_of(rows)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(module.TITLES.values())
    widths = [[patch.get_width() for patch in ax.patches] for ax in figure.axes]
    assert widths == [[2.5], [7.5], [5.25]]
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert {"200,000 columns, all values 1", "power-law", "7.5 x   snapml", "5.2 x   SGDClassifier"} <= set(texts)
    module.picture(rows, tmp_path / "bars.png")
    assert (tmp_path / "bars.png").stat().st_size > 1000
