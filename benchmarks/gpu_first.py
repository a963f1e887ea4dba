"""The first minutes on a GPU: every case is checked, timed, and written down before the next one begins."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import gpu_cases
import gpu_model
import harness
import steepest as st
from gpu_arrays import OwnArrays, Tensors, usable
from gpu_cases import Bench, Row
from gpu_peers import peers
from steepest.arrays import device

NO_DEVICE, FAILED = 2, 1  # exit codes
SHOWN = ("ours", "predicted", "GB/s", "x torch", "x torch graph", "x cupy", "x cuml's kernels", "error")


def in_cell(name: str, value: Any) -> str:
    """Format one number of a row."""
    if value is None:
        return "-"
    style = {"ours": harness.seconds, "GB/s": "{:.0f}".format, "error": "{:.0e}".format}
    return style.get(name, str if isinstance(value, str) else "{:.2f}".format)(value)


def table(rows: Sequence[Row]) -> str:
    """Write the rows as a table of Markdown; a case without an answer says why."""
    lines = [f"| case | {' | '.join(SHOWN)} |", f"|{'---|' * (len(SHOWN) + 1)}"]
    for row in rows:
        cells = [in_cell(name, row.get(name)) for name in SHOWN]
        lines.append(f"| {row['case']} | {' | '.join(cells) if 'failed' not in row else row['failed']} |")
    return "\n".join(lines)


def version(name: str) -> str:
    """Return the version of a peer, or why there is none."""
    try:
        return str(getattr(harness.peer(name), "__version__", "missing"))
    except Exception as error:
        return f"cannot be imported: {type(error).__name__}: {error}"


def facts(options: argparse.Namespace, names: Sequence[str]) -> Row:
    """Describe the machine, its GPU and the peers."""
    found = {name: version(name) for name in ("torch", "cupy")}
    what = "the emulator, so no time is a GPU's" if options.emulated else "a GPU"
    about = {"measured on": what, "scale": options.scale, "peers": ", ".join(names), "gpu": str(st.info()["cuda"])}
    return harness.describe() | found | about | {"predictions": f"for an {gpu_model.H100.name}, whatever GPU this is"}


def write(file: TextIO, row: Mapping[str, Any]) -> None:
    """Write a line that is on the disk when this returns."""
    file.write(json.dumps(row) + "\n")
    file.flush()
    os.fsync(file.fileno())


def attempt(bench: Bench, case: gpu_cases.Case) -> Row:
    """Run a case; whatever it raises becomes its row, and the next case runs."""
    label, run = case
    started = time.perf_counter()
    try:
        row = {"case": label, **run(bench)}
    except Exception as error:  # a wrong answer, memory that is full, a kernel that failed
        row = {"case": label, "failed": f"{type(error).__name__}: {error}"}
    gc.collect()
    return row | {"took": time.perf_counter() - started}


def run_all(bench: Bench, file: TextIO) -> list[Row]:
    """Run the cases until the time is over; write each one's row at once."""
    end, rows = time.monotonic() + bench.options.seconds, []
    write(file, facts(bench.options, list(bench.peers)))
    for case in gpu_cases.cases(bench.options):
        late = time.monotonic() > end
        row: Row = (
            {"case": case[0], "failed": f"not begun within {bench.options.seconds:g} s"}
            if late
            else attempt(bench, case)
        )
        write(file, row)
        print(f"{row['case']}: {row['failed'] if 'failed' in row else in_cell('ours', row['ours'])}", flush=True)
        for name, why in row.get("left out", {}).items():
            print(f"  without {name}: {why}", flush=True)
        rows.append(row)
    return rows


def run(options: argparse.Namespace, bench: Bench) -> int:
    """Run, print the table, and return the exit code."""
    with options.out.open("w") as file:
        rows = run_all(bench, file)
    title = "# A rehearsal over the emulator: no time here is a GPU's" if options.emulated else "# Measured on a GPU"
    print(f"\n{title}\n\n{table(rows)}")
    return FAILED if any("failed" in row for row in rows) or not rows else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu-first.jsonl"), help="a line of JSON for each case")
    parser.add_argument("--seconds", type=float, default=150.0, help="after which no case begins (default 150)")
    parser.add_argument("--scale", type=float, default=1.0, help="of all numbers of rows and parameters (default 1)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds the medians are taken over (default 5)")
    parser.add_argument("--enough", type=float, default=0.02, help="seconds of calls in a round (default 0.02)")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="run cases that match, such as epoch/*")
    parser.add_argument("--emulated", type=Path, metavar="FOLDER", help="rehearse over the emulated module there")
    options = parser.parse_args(arguments)
    options.quick = options.emulated is not None
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code: 2 where there is no GPU, 1 where a case failed."""
    options = parse(arguments)
    if options.emulated is not None:
        sys.path.insert(0, str(options.emulated))
        with device.use(importlib.import_module("_cuda_emulated")):
            return run(options, Bench(options, OwnArrays(), {}))
    status = str(dict(st.info())["cuda"])
    torch = usable("torch")
    if status.startswith("not available") or torch is None:
        why = status if status.startswith("not available") else "torch, which holds the data, sees no GPU"
        print(f"no GPU to measure: {why}", file=sys.stderr)
        return NO_DEVICE
    return run(options, Bench(options, Tensors(torch), peers(torch)))


if __name__ == "__main__":
    sys.exit(main())
