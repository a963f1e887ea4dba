"""The tables of docs/gpu.md, predicted by gpu_model.py: `python benchmarks/gpu_tables.py` prints them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from gpu_model import (
    BEFORE,
    ELEMENT_BYTES,
    H100,
    H200,
    NOW,
    Range,
    bytes_in_flight,
    floor_seconds,
    gradient_seconds,
    pass_limits,
    step_chunks,
    step_floor,
    step_parts,
    step_seconds,
    tiling,
    update_bytes,
    update_seconds,
)

SHAPES = [(5_000_000, 100), (500_000, 1000), (20_000_000, 16), (50_000, 10_000)]
STEPS = [(32, 100), (256, 100), (1024, 100), (4096, 100), (16_384, 100), (256, 1000)]
SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
PREDICTED = "predicted, not measured"
STEP_COLUMNS = ((H100, BEFORE), (H100, NOW), (H200, NOW))


def in_words(seconds: Range) -> str:
    """Format a range of times in the unit of its larger end, with two digits."""
    unit, size = next((u, s) for u, s in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 0.0)) if seconds[1] >= s)
    low, high = (f"{float(f'{value / (size or 1e-9):.2g}'):g}" for value in seconds)
    return f"{low} {unit}" if low == high else f"{low}-{high} {unit}"


def _rows(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def moved(n_bytes: float) -> str:
    """Format a number of bytes."""
    unit, size = next((u, s) for u, s in (("GB", 1e9), ("MB", 1e6), ("kB", 0.0)) if n_bytes >= s)
    return f"{n_bytes / (size or 1e3):.3g} {unit}"


def _floor(seconds: float) -> str:
    return in_words((seconds, seconds))


def _gradient_row(n: int, d: int, storage: str) -> list[str]:
    limits = pass_limits(n, d, storage, gpu=H200)
    row = [f"{n:,} x {d:,}", storage]
    for code in (BEFORE, NOW):
        way = tiling(d, storage, H100, code)
        row.append(f"{way.name}, {bytes_in_flight(d, storage, way) / 1024:.0f} KiB")
    for gpu in (H100, H200):
        times = [in_words(gradient_seconds(n, d, storage, gpu=gpu, code=code)) for code in (BEFORE, NOW)]
        row += [_floor(floor_seconds(n, d, storage, gpu)), *times]
    return [*row, max(limits, key=lambda name: limits[name][1])]


def gradient_table() -> str:
    """Predicted times of value and gradient, before loads were in flight and now."""
    headings = ["X", "storage", "tiling, in flight: before", "now"]
    headings += ["H100: floor", f"before, {PREDICTED}", "now", "H200: floor", f"before, {PREDICTED}", "now"]
    rows = [_gradient_row(n, d, storage) for n, d in SHAPES for storage in ELEMENT_BYTES]
    return _rows([*headings, "limit on the H200, at most"], rows)


def step_table() -> str:
    """Predicted times of a mini-batch step in the persistent kernel."""
    rows = []
    for batch, d in STEPS:
        parts = step_parts(batch, d) | {"sums": step_parts(batch, d, code=BEFORE)["sums"]}
        words = [in_words(part) for part in parts.values()]
        words.insert(3, in_words(step_parts(batch, d)["sums"]))
        times = [in_words(step_seconds(batch, d, gpu=gpu, code=code)) for gpu, code in STEP_COLUMNS]
        rows.append([f"{batch:,}", f"{d:,}", str(step_chunks(batch)), *words, _floor(step_floor(batch, d)), *times])
    parts_of = ("rows", "grid sync", "sums: before", "now", "update")
    times_of = (f"H100: before, {PREDICTED}", "now", "H200: now")
    return _rows(("B", "d", "chunks", *parts_of, "floor", *times_of), rows)


def update_table() -> str:
    """Predicted times of a step of Adam whose gradient is given."""
    rows = []
    for n in SIZES:
        moved_bytes = update_bytes("Adam", n)
        row = [f"{n:,}", moved(moved_bytes)]
        for gpu in (H100, H200):
            row += [_floor(moved_bytes / gpu.memory_rate), in_words(update_seconds("Adam", n, gpu=gpu))]
        rows.append(row)
    return _rows(("parameters", "bytes", "H100: floor", PREDICTED, "H200: floor", PREDICTED), rows)


TABLES = {
    "Value and gradient, logistic": gradient_table,
    "A mini-batch step, logistic, Adam, float32": step_table,
    "An update by Adam, float32": update_table,
}


def main() -> int:
    """Print the tables of docs/gpu.md."""
    sys.stdout.write("\n".join(f"{title}:\n\n{table()}" for title, table in TABLES.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
