"""The emulated CUDA device: right kernels pass at any schedule, wrong ones are told, host calls do as real ones."""

from __future__ import annotations

import pytest

from emulation.compile import HERE, compile_driver, reason_without, run

RIGHT = ["lanes", "reduction", "grid_steps", "last_block", "async_copies", "bulk_copies", "vectors"]
# What is wrong, how the kernel is built, and what tells: a text, or None for a wrong result at some schedule.
WRONG = [
    ("no_syncthreads", "plain", None),
    ("no_syncthreads", "thread", "data race"),
    ("no_grid_sync", "plain", None),
    ("no_grid_sync", "thread", "data race"),
    ("no_fence", "thread", "data race"),
    ("plain_counter", "thread", "data race"),
    ("no_wait_async", "plain", None),
    ("no_wait_bulk", "plain", "barrier_expect at selftest.cpp"),
    ("no_wait_bulk", "thread", "data race"),
    ("unaligned_async", "plain", "an address is not a multiple of 16"),
    ("unaligned_store", "plain", "__stcg at selftest.cpp"),
    ("unaligned_load", "address", "misaligned address"),
    ("beyond_global", "address", "heap-buffer-overflow"),
    ("beyond_shared", "address", "heap-buffer-overflow"),
]
# Kernels whose threads do not meet, and what the emulator says.
DIVERGENT = {
    "some_sync": "__syncthreads at divergence.cpp",
    "sync_apart": "__syncthreads at divergence.cpp",
    "some_sync_grid": "grid.sync at divergence.cpp",
    "some_shuffle": "at divergence.cpp",
    "some_sync_warp": "no thread can go on",
    "wait_for_nothing": "waits for barrier_wait at divergence.cpp",
}


@pytest.fixture(scope="module")
def programs():
    """The compiled drivers, made when they are asked for."""
    made = {}

    def program(name, sanitizer):
        if (name, sanitizer) not in made:
            if reason := reason_without(sanitizer):
                pytest.skip(reason)
            made[name, sanitizer] = compile_driver(HERE / "drivers" / f"{name}.cpp", sanitizer)
        return made[name, sanitizer]

    return program


@pytest.mark.parametrize("sanitizer", ["plain", "address", "thread"])
@pytest.mark.parametrize("name", RIGHT)
def test_right_kernels_pass_silently(programs, name, sanitizer):
    program = programs("selftest", sanitizer)
    for seed in range(2 if sanitizer == "thread" else 12):
        done = run(program, name, seed=seed, sanitizer=sanitizer)
        assert (done.returncode, done.stdout) == (0, ""), f"seed {seed}"


@pytest.mark.parametrize(("name", "sanitizer", "text"), WRONG)
def test_wrong_kernels_are_told(programs, name, sanitizer, text):
    program = programs("selftest", sanitizer)
    runs = [run(program, name, seed=seed, sanitizer=sanitizer) for seed in range(1, 4)]
    if text is None:
        assert any(done.returncode == 1 for done in runs)
    else:
        assert all(done.returncode != 0 and text in done.stdout for done in runs), runs[0].stdout


@pytest.mark.parametrize("name", DIVERGENT)
def test_threads_that_do_not_meet_are_named(programs, name):
    program = programs("divergence", "plain")
    for seed in range(1, 4):
        done = run(program, name, seed=seed)
        assert done.returncode != 0
        assert "emulated CUDA: " in done.stdout
        assert DIVERGENT[name] in done.stdout


def test_a_seed_repeats_its_schedule(programs):
    program = programs("divergence", "plain")
    texts = [run(program, "some_sync", seed=seed).stdout for seed in (1, 1, 2, 3, 4)]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("launches", {}),
        ("streams", {}),
        ("memory", {"EMULATED_MEMORY": "900"}),
        ("no_device", {"EMULATED_DEVICES": "0"}),
        ("old_driver", {"EMULATED_DEVICES": "driver"}),
    ],
)
def test_host_calls_do_as_real_ones(programs, name, variables):
    done = run(programs("host", "plain"), name, **variables)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_older_device_has_no_bulk_copies(programs):
    program = programs("selftest", "plain")
    assert run(program, "async_copies", EMULATED_COMPUTE="75").returncode == 0
    assert "the device has no bulk copies" in run(program, "bulk_copies", EMULATED_COMPUTE="80").stdout
