"""The emulated CUDA device: right kernels pass at any schedule, wrong ones are told, host calls do as real ones."""

from __future__ import annotations

import pytest

from emulation.compile import DRIVERS, Unavailable, compile_driver, run

pytestmark = pytest.mark.slow  # compiles programs: the kernels of cuda/ are not among them
RIGHT = ["lanes", "reduction", "grid_steps", "last_block", "async_copies", "bulk_copies", "vectors"]
# What is wrong, how the kernel is built, and what tells: a text, or None for a wrong result at some schedule.
WRONG = [
    ("no_syncthreads", "", None),
    ("no_syncthreads", "thread", "data race"),
    ("no_grid_sync", "", None),
    ("no_grid_sync", "thread", "data race"),
    ("no_fence", "thread", "data race"),
    ("plain_counter", "thread", "data race"),
    ("no_wait_async", "", None),
    ("no_wait_bulk", "", "barrier_expect at selftest.cpp"),
    ("no_wait_bulk", "thread", "data race"),
    ("no_proxy_fence", "", "no fence_proxy_async came after the barrier was initialised"),
    ("unaligned_async", "", "an address is not a multiple of 16"),
    ("unaligned_store", "", "__stcg at selftest.cpp"),
    ("unaligned_load", "address,undefined", "misaligned address"),
    ("beyond_global", "address,undefined", "heap-buffer-overflow"),
    ("beyond_shared", "address,undefined", "heap-buffer-overflow"),
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
def programs(tmp_path_factory):
    """The compiled drivers, made when they are asked for."""
    made, folder = {}, tmp_path_factory.mktemp("programs")

    def program(name, sanitizer):
        if (name, sanitizer) not in made:
            try:
                made[name, sanitizer] = compile_driver(DRIVERS / f"{name}.cpp", folder, sanitizer=sanitizer)
            except Unavailable as reason:
                pytest.skip(str(reason))
        return made[name, sanitizer]

    return program


@pytest.mark.parametrize("sanitizer", ["", "address,undefined", "thread"])
@pytest.mark.parametrize("name", RIGHT)
def test_right_kernels_pass_silently(programs, name, sanitizer):
    program = programs("selftest", sanitizer)
    for seed in range(2 if sanitizer == "thread" else 12):
        done = run(program, name, seed=seed)
        assert (done.returncode, done.stdout) == (0, ""), f"seed {seed}"


@pytest.mark.parametrize(("name", "sanitizer", "text"), WRONG)
def test_wrong_kernels_are_told(programs, name, sanitizer, text):
    program = programs("selftest", sanitizer)
    runs = [run(program, name, seed=seed) for seed in range(1, 4)]
    if text is None:
        assert any(done.returncode == 1 for done in runs)
    else:
        assert all(done.returncode != 0 and text in done.stdout for done in runs), runs[0].stdout


@pytest.mark.parametrize("name", DIVERGENT)
def test_threads_that_do_not_meet_are_named(programs, name):
    program = programs("divergence", "")
    for seed in range(1, 4):
        done = run(program, name, seed=seed)
        assert done.returncode != 0
        assert "emulated CUDA: " in done.stdout
        assert DIVERGENT[name] in done.stdout


def test_a_seed_repeats_its_schedule(programs):
    program = programs("divergence", "")
    texts = [run(program, "some_sync", seed=seed).stdout for seed in (1, 1, 2, 3, 4)]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("launches", {}),
        ("streams", {}),
        ("non_blocking", {}),
        ("events", {}),
        ("captures", {}),
        ("contexts", {}),
        ("no_cooperative_launches", {"EMULATED_COOPERATIVE": "0"}),
        ("memory", {"EMULATED_MEMORY": "900"}),
        ("no_device", {"EMULATED_DEVICES": "0"}),
        ("old_driver", {"EMULATED_DEVICES": "driver"}),
    ],
)
def test_host_calls_do_as_real_ones(programs, name, variables):
    done = run(programs("host", ""), name, **variables)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_older_device_has_no_bulk_copies(programs):
    program = programs("selftest", "")
    assert run(program, "async_copies", EMULATED_COMPUTE="75").returncode == 0
    assert "the device has no bulk copies" in run(program, "bulk_copies", EMULATED_COMPUTE="80").stdout
