"""Data bigger than memory: passes and epochs over files, beside the disk's own rate and other ways to read them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st

Array = NDArray[Any]
ALPHA = 1e-4
COLUMNS = 100
PART_ROWS = 2**16
TOLERANCE = 1e-4  # of a float32 gradient, relative
BLOCK = 1 << 23  # bytes that the plain read takes at a time
RATE = 1e-3  # of single-row steps
FACTS = {
    "problem": f"logistic, float32, {COLUMNS} columns, alpha {ALPHA:g}; one row of X is {4 * COLUMNS} bytes",
    "cold": "the files' pages were dropped from the page cache before each call (posix_fadvise)",
    "warm": "the files were read before, and the page cache holds what fits",
    "of read": "the time of a plain read of the same files, in blocks of 8 MiB on one thread, over ours",
    "memmap": "NumPy: X of a memory map in blocks of rows, X @ w and X.T @ slopes",
    "peak": "of resident memory during a call, beyond the start",
}


@dataclass
class Files:
    """The files of a case, and how they are opened."""

    paths: list[Path]
    source: Any
    target: str | None
    folder: Path

    @property
    def X(self) -> Array:
        """The rows in a memory map, which is made anew, since mapped pages stay in the page cache."""
        found: Array = np.load(self.folder / "X.npy", mmap_mode="r")
        return found

    @property
    def y(self) -> Array:
        """The targets, read."""
        found: Array = np.load(self.folder / "y.npy")
        return found

    @property
    def n_bytes(self) -> int:
        """The bytes of all files."""
        return sum(path.stat().st_size for path in self.paths)


def draw(folder: Path, gigabytes: float) -> None:
    """Write X and y as .npy files, block by block."""
    n = max(int(gigabytes * 1e9) // (4 * COLUMNS), 1000)
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, (n, COLUMNS))
    y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.float32, (n,))
    random = np.random.default_rng(0)
    w = random.standard_normal(COLUMNS, np.float32) / 4
    for at in range(0, n, PART_ROWS):
        block = random.standard_normal((min(PART_ROWS, n - at), COLUMNS), np.float32)
        X[at : at + len(block)] = block
        noise = random.logistic(size=len(block))
        y[at : at + len(block)] = block @ w + noise > 0
    X.flush()
    y.flush()


def npy(folder: Path) -> Files:
    """Name the .npy files."""
    paths = [folder / "X.npy", folder / "y.npy"]
    return Files(paths, tuple(paths), None, folder)


def parquet(folder: Path) -> Files:
    """Write the rows as a Parquet file, uncompressed, a row group for each part."""
    pa, pq = harness.peer("pyarrow"), harness.peer("pyarrow.parquet")
    path, names = folder / "data.parquet", [f"x{i}" for i in range(COLUMNS)]
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    schema = pa.schema([(name, pa.float32()) for name in [*names, "y"]])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for at in range(0, len(X), PART_ROWS):
            block, target = X[at : at + PART_ROWS], y[at : at + PART_ROWS]
            columns = [np.ascontiguousarray(block[:, i]) for i in range(COLUMNS)]
            writer.write_table(pa.table([*columns, np.asarray(target)], schema=schema))
    return Files([path], path, "y", folder)


def drop(paths: Sequence[Path]) -> None:
    """Drop the files' pages from the page cache."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def read(paths: Sequence[Path]) -> None:
    """Read files from beginning to end into one block of memory."""
    block = bytearray(BLOCK)
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(block):
                pass


def gradient_by_blocks(X: Array, y: Array, w: Array, dtype: Any) -> Array:
    """Compute the gradient of the mean loss by NumPy, block by block."""
    total = np.zeros(COLUMNS + 1, np.float64)
    w = w.astype(dtype)
    for at in range(0, len(X), PART_ROWS):
        block = np.asarray(X[at : at + PART_ROWS], dtype)
        slopes = 1 / (1 + np.exp(-(block @ w[:-1] + w[-1]))) - y[at : at + PART_ROWS]
        total[:-1] += block.T @ slopes
        total[-1] += slopes.sum(dtype=np.float64)
    return total / len(X)


def epoch_by_partial_fit(X: Array, y: Array) -> Any:
    """Take an epoch of single-row steps by SGDClassifier, over blocks of a memory map."""
    model = harness.peer("sklearn.linear_model").SGDClassifier(
        "log_loss", alpha=ALPHA, learning_rate="constant", eta0=RATE, shuffle=True, random_state=0
    )
    for at in range(0, len(X), PART_ROWS):
        model.partial_fit(X[at : at + PART_ROWS], np.asarray(y[at : at + PART_ROWS]), classes=[0.0, 1.0])
    return model


def epoch(stream: st.Stream) -> st.Result:
    """Take an epoch of single-row steps over a stream."""
    rule = st.GradientDescent(RATE)
    return st.minimize(st.Logistic(stream), None, rule, batch_size=1, max_epochs=1, random_state=0, diagnose=False)


def passes(files: Files, streams: dict[str, st.Stream], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Time one gradient over each stream, with the files in the page cache and without."""
    w = np.random.default_rng(1).standard_normal(COLUMNS + 1).astype(np.float32) / 4
    right = gradient_by_blocks(files.X, files.y, w, np.float64)
    memory = st.Logistic(np.array(files.X), files.y) if files.n_bytes < options.in_memory * 1e9 else None
    for name, stream in streams.items():
        objective = st.Logistic(stream)
        harness.check(f"{name}, gradient", objective.gradient(w), right, TOLERANCE)
        paths = files.paths if name != "cache" else sorted(path for path in options.cache.rglob("*") if path.is_file())
        calls: dict[str, harness.Call] = {
            "ours": lambda objective=objective: objective.value_and_gradient(w),  # type: ignore[misc]
            "read": lambda paths=paths: read(paths),  # type: ignore[misc]
        }
        if name == "npy":
            calls["memmap"] = lambda: gradient_by_blocks(files.X, files.y, w, np.float32)
        if memory is not None:
            calls["memory"] = lambda: memory.value_and_gradient(w)
        for state in ("cold", "warm"):
            if not harness.selected(options, f"pass/{name}/{state}"):
                continue

            def prepare(paths: Sequence[Path] = paths, state: str = state) -> None:
                drop(paths) if state == "cold" else read(paths)

            held = {key: call for key, call in calls.items() if key != "memory" or state == "warm"}
            timers = {key: harness.timer(call, options, prepare) for key, call in held.items()}
            times = harness.interleave(timers, options)
            peak = harness.peak_extra(calls["ours"])
            yield {
                "case": f"pass/{name}/{state}",
                "rows": len(files.X),
                "GB": sum(path.stat().st_size for path in paths) / 1e9,
                **{key: times.median(key) for key in held},
                "rows/s": len(files.X) / times.median("ours"),
                "of read": times.ratio("read", "ours"),
                **({"x memmap": times.ratio("memmap", "ours")} if "memmap" in held else {}),
                **({"of memory": times.ratio("memory", "ours")} if "memory" in held else {}),
                "peak": peak,
                "seconds": times.seconds,
            }


def epochs(files: Files, stream: st.Stream, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Time one epoch of single-row steps."""
    if not harness.selected(options, "epoch/npy/warm"):
        return
    found = epoch(stream)
    constant = float(st.Logistic(stream).value(np.zeros(COLUMNS + 1, np.float32)))
    if not found.value < 0.9 * constant:
        raise harness.WrongAnswer(f"epoch: a loss of {found.value:.4f}, {constant:.4f} at zeros")
    calls: dict[str, harness.Call] = {"ours": lambda: epoch(stream)}
    if harness.peer("sklearn") is not None:
        model = epoch_by_partial_fit(files.X, files.y)
        w = np.append(model.coef_, model.intercept_).astype(np.float32)
        value = st.Logistic(stream).value(w)
        if not value < 0.9 * constant:
            raise harness.WrongAnswer(f"epoch of SGDClassifier: a loss of {value:.4f}, {constant:.4f} at zeros")
        calls["partial_fit"] = lambda: epoch_by_partial_fit(files.X, files.y)
    times = harness.interleave({name: harness.timer(call, options) for name, call in calls.items()}, options)
    yield {
        "case": "epoch/npy/warm",
        "rows": len(files.X),
        "GB": files.n_bytes / 1e9,
        **{key: times.median(key) for key in calls},
        "rows/s": len(files.X) / times.median("ours"),
        **({"x partial_fit": times.ratio("partial_fit", "ours")} if "partial_fit" in calls else {}),
        "peak": harness.peak_extra(calls["ours"]),
        "seconds": times.seconds,
    }


SHOWN: dict[str, Callable[[Any], str]] = {
    "case": str,
    **dict.fromkeys(("rows", "rows/s"), "{:,.0f}".format),
    "GB": "{:.2f}".format,
    **dict.fromkeys(("ours", "read", "memmap", "memory", "partial_fit"), harness.seconds),
    **dict.fromkeys(("of read", "of memory", "x memmap", "x partial_fit"), "{:.2f}".format),
    "peak": lambda value: "" if value is None else f"{value / 1e6:.0f} MB",
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Make the files, run every case, and delete them."""
    facts = harness.describe() | FACTS | {"memory": options.memory, "part_rows": f"{PART_ROWS:,}"}
    table = harness.Table("Streams", facts, SHOWN)
    folder = Path(tempfile.mkdtemp(prefix="steepest-stream-", dir=options.folder))
    options.cache = folder / "cache"
    settings = {"part_rows": PART_ROWS, "memory": options.memory}
    try:
        draw(folder, options.gigabytes)
        files = npy(folder)
        streams = {"npy": st.open_stream(files.source, **settings)}
        for row in (*passes(files, streams, options), *epochs(files, streams["npy"], options)):
            table.add(row)
        if harness.peer("pyarrow") is not None:
            files = parquet(folder)
            start = time.perf_counter()
            cached = st.open_stream(files.source, target="y", cache=options.cache, **settings)
            table.machine["opening with a cache"] = f"{time.perf_counter() - start:.1f} s"
            streams = {"parquet": st.open_stream(files.source, target="y", **settings), "cache": cached}
            for row in passes(files, streams, options):
                table.add(row)
    finally:
        shutil.rmtree(folder)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "a case such as pass/npy/cold, pass/cache/warm or epoch/npy/warm")
    parser.add_argument("--gigabytes", type=float, default=20.0, metavar="GB", help="size of X (20)")
    parser.add_argument("--memory", default="1 GiB", help='what a stream may use ("1 GiB")')
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the files are made (the temporary folder)")
    parser.add_argument(
        "--in-memory", type=float, default=4.0, metavar="GB", help="time the pass in memory up to this size of X (4)"
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.gigabytes = 0.004
    if not options.gigabytes > 0:
        parser.error(f"--gigabytes must be above 0, got {options.gigabytes:g}")
    options.repeats = options.repeats or (1 if options.quick else 3)
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())
