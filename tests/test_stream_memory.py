"""A stream stays within its memory, with a file three times as large."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from interpreter import SANITIZED

MIB = 1 << 20
COLUMNS = 24
# Prints by how many bytes the peak of the resident set grows, and the sum of all rows of two passes.
PROGRAM = """
import gc, sys
import steepest as st

small, large, memory, part_rows = *sys.argv[1:3], *map(int, sys.argv[3:5])

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024

def opened(folder):
    files = {"npy": (f"{folder}/X.npy", f"{folder}/y.npy")}
    kind, _, cached = sys.argv[5].partition("+")
    options = {"target": "y"} if kind in ("parquet", "csv") else {}
    if cached:
        options["cache"] = f"{folder}/cache"
    return st.open_stream(files.get(kind, f"{folder}/t.{kind}"), memory=memory, part_rows=part_rows, **options)

for part in opened(small).parts():
    pass
gc.collect()
open("/proc/self/clear_refs", "w").write("5")  # forgets the peak
before, rows = peak(), 0
stream = opened(large)
for _ in range(2):
    for part in stream.parts():
        rows += len(part.y)
print(peak() - before, rows)
"""


def write(kind, folder, repeats):
    """Write `repeats` times the same 4,096 rows; return the bytes of the file."""
    folder.mkdir()
    X = np.random.default_rng(0).standard_normal((4096, COLUMNS)).round(4)
    if kind.startswith("npy"):
        np.save(folder / "y.npy", np.tile(X[:, 0], repeats))
        with (folder / "X.npy").open("wb") as file:
            shape = (4096 * repeats, COLUMNS)
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
            for _ in range(repeats):
                file.write(X.tobytes())
        return (folder / "X.npy").stat().st_size
    path = folder / f"t.{kind}"
    if kind == "parquet":
        table = pyarrow.table({**{f"c{j}": X[:, j] for j in range(COLUMNS)}, "y": X[:, 0]})
        with pyarrow.parquet.ParquetWriter(path, table.schema, compression="none", use_dictionary=False) as writer:
            for at in range(0, repeats, 5):
                writer.write_table(pyarrow.concat_tables([table] * min(5, repeats - at)))
        return path.stat().st_size
    if kind == "csv":
        head = ",".join([*(f"c{j}" for j in range(COLUMNS)), "y"]) + "\n"
        lines = "".join(",".join(map(str, [*row, row[0]])) + "\n" for row in X.tolist())
    else:
        head = ""
        lines = "".join(" ".join(["1", *(f"{j}:{x}" for j, x in enumerate(row))]) + "\n" for row in X.tolist())
    with path.open("w") as file:
        file.write(head)
        for _ in range(repeats):
            file.write(lines)
    return path.stat().st_size


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux") or SANITIZED, reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("kind", "memory"),
    [("npy", 32), ("npy+cache", 32), ("parquet", 96), ("parquet+cache", 96), ("csv", 48), ("svm", 32)],
)
def test_the_resident_set_stays_within_the_memory(kind, memory, tmp_path):
    memory *= MIB
    one = write(kind.partition("+")[0], tmp_path / "small", 1)
    repeats = int(3.2 * memory) // one + 1
    size = write(kind.partition("+")[0], tmp_path / "large", repeats)
    assert size >= 3 * memory
    arguments = [tmp_path / "small", tmp_path / "large", memory, 8192, kind]
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    growth, rows = map(int, run.stdout.split())
    assert rows == 2 * 4096 * repeats
    assert growth < memory


FITS = """
def fitted(stream, w=None):
    objective = st.LeastSquares(stream)
    for _ in range(3):
        w = objective.gradient(np.zeros(objective.n_parameters))
    st.minimize(objective, optimizer=st.Adam(1e-3), batch_size=256, max_epochs=1, diagnose=False)
    return w

fitted(opened(small))
gc.collect()
open("/proc/self/clear_refs", "w").write("5")
before, stream = peak(), opened(large)
w = fitted(stream)
print(peak() - before, int(len(stream._kept) == len(stream.sizes)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux") or SANITIZED, reason="reads the peak from /proc")
@pytest.mark.parametrize(("kind", "share"), [("npy", 3.2), ("npy", 0.45), ("npy+cache", 3.2), ("parquet", 0.3)])
def test_fits_stay_within_the_memory(kind, share, tmp_path):
    """Passes and mini-batches from a buffer, over rows in files, and over those of half of the memory, which stay."""
    memory = (96 if kind == "parquet" else 64) * MIB
    one = write(kind.partition("+")[0], tmp_path / "small", 1)
    write(kind.partition("+")[0], tmp_path / "large", int(share * memory) // one)
    arguments = [tmp_path / "small", tmp_path / "large", memory, 8192, kind]
    program = PROGRAM.partition("for part in opened(small)")[0].replace("import gc, sys", "import gc, sys, numpy as np")
    run = subprocess.run(
        [sys.executable, "-c", program + FITS, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    growth, kept = map(int, run.stdout.split())
    assert growth < memory
    assert kept == (share < 0.5 and kind == "npy")
