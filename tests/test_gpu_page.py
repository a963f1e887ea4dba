"""The predictions for the GPU: what the model says, that the page says the same, and that both mirror the kernels."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from devices import Memory, emulated

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
PLAN = r"""
#include <cstdio>
#include "cuda/kernels/plan.hpp"
using namespace steepest::cuda;
int main(int, char** of) {
    std::size_t n, d, bytes;
    std::sscanf(of[1], "%zu,%zu,%zu", &n, &d, &bytes);
    const RegisterShape shape = register_shape(d, 16 / bytes);
    const std::size_t chunks = pass_chunks(n, d, bytes, shape.vectors ? n : 4096);
    std::printf("%d %d %zu %zu\n", shape.lanes, shape.vectors, chunks, step_chunks(n));
}
"""


@pytest.fixture
def load(monkeypatch):
    """Import a module of `benchmarks/` by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def model(load):
    return load("gpu_model")


def test_the_page_has_the_tables_that_the_command_prints(load, capsys):
    assert load("gpu_tables").main() == 0
    assert capsys.readouterr().out in (ROOT / "docs" / "gpu.md").read_text()


def test_every_time_on_the_page_is_called_a_prediction(load):
    for table in load("gpu_tables").TABLES.values():
        heading, *_ = table().splitlines()
        assert "predicted, not measured" in heading


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A function that asks cuda/kernels/plan.hpp how rows are cut up."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler to read cuda/kernels/plan.hpp with")
    folder = tmp_path_factory.mktemp("plan")
    (folder / "plan.cpp").write_text(PLAN)
    subprocess.run(
        [compiler, "-std=c++20", f"-I{ROOT}", str(folder / "plan.cpp"), "-o", str(folder / "plan")], check=True
    )

    def ask(n, d, n_bytes):
        done = subprocess.run([folder / "plan", f"{n},{d},{n_bytes}"], capture_output=True, text=True, check=True)
        return tuple(map(int, done.stdout.split()))

    return ask


@pytest.mark.parametrize("n", [1, 32, 257, 4096, 1_000_000, 20_000_000])
@pytest.mark.parametrize("d", [1, 16, 100, 129, 1000, 10_000])
def test_rows_are_cut_up_as_the_kernels_do(model, plan, n, d):
    for n_bytes in (2, 4, 8):
        shape = model.register_shape(d, 16 // n_bytes) or (0, 0)
        assert (*shape, model.pass_chunks(n, d, n_bytes, n if shape[1] else 4096), model.step_chunks(n)) == plan(
            n, d, n_bytes
        )


@pytest.mark.emulated
@pytest.mark.parametrize("storage", ["float32", "float64", "float16"])
@pytest.mark.parametrize("d", [4, 16, 30, 100, 257, 1000, 10_000])
def test_the_tiling_is_that_of_the_kernels(model, storage, d):
    memory = Memory(emulated())
    X = memory.put(np.zeros((2, d), storage))
    y = memory.put(np.zeros(2, np.float64 if storage == "float64" else np.float32))
    multiprocessors = memory.module.device(0)["multiprocessors"]
    here = model.Gpu(multiprocessors=multiprocessors)
    objective = memory.module.Objective(
        "logistic", storage, X, 2, d, True, y, 0, 2.0, True, 0.0, 0.0, memory.device, memory.stream
    )
    way = model.tiling(d, "16 bit" if storage == "float16" else storage, here)
    assert way.name == objective.tiling
    if way.resident == 2:  # the emulation has registers for two blocks, whatever the kernel
        assert (way.rows, way.stages) == objective.ring or way.name != "stream"


@pytest.fixture(params=["H100", "H200"])
def gpu(model, request):
    return getattr(model, request.param)


@pytest.mark.parametrize("code", ["BEFORE", "NOW"])
def test_no_prediction_is_below_its_floor(model, load, gpu, code):
    tables, code = load("gpu_tables"), getattr(model, code)
    for n, d in tables.SHAPES:
        for storage in model.ELEMENT_BYTES:
            low, high = model.gradient_seconds(n, d, storage, gpu=gpu, code=code)
            assert model.floor_seconds(n, d, storage, gpu) < low <= high
    for batch, d in tables.STEPS:
        low, high = model.step_seconds(batch, d, gpu=gpu, code=code)
        assert model.step_floor(batch, d, gpu=gpu) < low < high
    for rule in model.STATES:
        for n in tables.SIZES:
            low, high = model.update_seconds(rule, n, gpu=gpu)
            assert model.update_bytes(rule, n) / gpu.memory_rate < low < high


def test_loads_in_flight_slow_nothing_down(model, load, gpu):
    tables = load("gpu_tables")
    for n, d in tables.SHAPES:
        for storage in model.ELEMENT_BYTES:
            before, now = (model.gradient_seconds(n, d, storage, gpu=gpu, code=c) for c in (model.BEFORE, model.NOW))
            assert now <= before
    for batch, d in tables.STEPS:
        assert model.step_seconds(batch, d, gpu=gpu) < model.step_seconds(batch, d, gpu=gpu, code=model.BEFORE)


@pytest.mark.parametrize(("storage", "at_once"), [("float32", 4), ("float64", 2), ("16 bit", 2)])
def test_rows_at_once_share_their_losses(model, storage, at_once):
    """Only where a lane has one vector of each row; a row costs fewer operations then, and less of the L1 cache."""
    of_vectors = {d: model.step_tiling(d, storage) for d in (3, 30, 100)}
    for d, way in of_vectors.items():
        assert way.at_once == (at_once if way.vectors == 1 else 1)
        codes = model.BEFORE, model.NOW
        before, now = (model.operations(1, d, storage, "logistic", model.step_tiling(d, storage, c), c) for c in codes)
        assert now < before or (way.vectors > 1 and storage == "float64")
        before, now = (model.wavefronts(d, storage, way, code) for code in codes)
        assert (now < before) == (storage == "16 bit" and d % 8 != 0)


def test_a_faster_memory_slows_nothing_down(model, load):
    for n, d in load("gpu_tables").SHAPES:
        for storage in model.ELEMENT_BYTES:
            ours, theirs = (model.gradient_seconds(n, d, storage, gpu=gpu) for gpu in (model.H200, model.H100))
            assert ours <= theirs


@pytest.mark.parametrize("storage", ["float32", "16 bit"])
def test_rings_hold_what_the_page_says(model, load, storage):
    plan = load("gpu_plan")
    for d in range(1, 1025):
        way = model.tiling(d, storage)
        assert way.name == "stream"
        held = way.resident * way.stages * plan.stage_bytes(way.rows, d, storage)
        assert 64 <= held / 1024 <= 128
        assert 48 <= model.bytes_in_flight(d, storage, way) / 1024 <= 112


@pytest.mark.parametrize("end", [0, 1])
def test_more_work_takes_longer(model, end):
    rows = [model.gradient_seconds(n, 100, "float32")[end] for n in (10_000, 100_000, 1_000_000, 10_000_000)]
    batches = [model.step_seconds(batch, 100)[end] for batch in (32, 256, 1024, 4096, 16_384, 200_000)]
    sizes = [model.update_seconds("Adam", n)[end] for n in (1_000, 1_000_000, 100_000_000)]
    states = [model.update_seconds(rule, 10_000_000)[end] for rule in ("GradientDescent", "Momentum", "Adam")]
    for times in (rows, batches, sizes, states):
        assert times == sorted(set(times))


@pytest.mark.parametrize("d", [16, 96, 1000, 10_000])
def test_half_the_bytes_take_no_longer(model, d):
    times = [model.gradient_seconds(5_000_000, d, storage)[1] for storage in ("16 bit", "float32", "float64")]
    assert times == sorted(times)


def test_bytes(model):
    assert model.pass_bytes(1000, 10, "float32") == 4 * (10_000 + 1000 + 20)
    assert model.pass_bytes(1000, 10, "16 bit") == 2 * 10_000 + 4 * (1000 + 20)
    assert model.update_bytes("Adam", 10, "float64") == 10 * 8 * 7
    assert model.update_bytes("GradientDescent", 10) == 10 * 4 * 3


def test_rows_beyond_registers_have_no_persistent_step(model):
    with pytest.raises(ValueError, match="d must be one whose rows fit registers, got 10000"):
        model.step_parts(256, 10_000)


def test_times_in_words(load):
    in_words = load("gpu_tables").in_words
    assert in_words((2.54e-6, 3.46e-6)) == "2.5-3.5 us"
    assert in_words((1e-3, 1e-3)) == "1 ms"
    assert in_words((9.9e-9, 2e-8)) == "9.9-20 ns"
