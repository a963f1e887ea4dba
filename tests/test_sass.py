"""The machine code of the CUDA module does what the kernels' speed and their bits rest on, at every architecture."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cases import RULES
from disassembly import NAMES, Kernel, cuobjdump, instructions, usage
from machine_loops import codes

_cuda = pytest.importorskip("steepest._cuda", reason="the CUDA module was not built")
pytestmark = pytest.mark.skipif(cuobjdump() is None, reason="cuobjdump and nvdisasm are not installed: the extra `dev`")

ROOT = Path(__file__).parents[1]
RELEASED = {"75", "80", "90", "100"}  # the architectures of cuda/architectures.cmake: CI builds the module for one
EPOCHS = ("lanes_epoch", "tile_epoch")
N_STATES = {rule.rule_name.replace("_", ""): rule.rule.n_states for rule in (case.make() for case in RULES)}

# What the checks below look for, in a kernel that has it all.
CONTROL = """
__global__ void control(const float* __restrict__ x, float* __restrict__ y, int n) {
    float local[64];
    for (int i = 0; i < n; ++i) local[i * 7 % 64] = __ldg(x + i);
    atomicAdd(y, local[n % 64]);
    __shared__ unsigned long long sum;
    atomicAdd(&sum, (unsigned long long)n);
    y[1] = float(sum);
}
"""

# Loops that wait for each load, that divide to find what to copy, and a bulk copy whose barrier has no fence.
CONTROL_LOOPS = """
#include <cstddef>
__global__ void serial(const volatile double* x, double* y, size_t n) {
    double sum = 0;
    for (size_t i = threadIdx.x; i < n; i += 8) {
        sum += x[i];
        if (sum > 1.0) break;
        sum += x[i + n];
        if (sum > 2.0) break;
    }
    y[0] = sum;
}
__global__ void divided(const float* x, float* y, size_t n, size_t d) {
    extern __shared__ float tile[];
    for (size_t i = threadIdx.x; i < n; i += 256) tile[i] = x[i / d * 3 + i % d];
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x ^ 1];
}
__global__ void unfenced(const float* x, float* y, unsigned bytes) {
    __shared__ __align__(16) float tile[64];
    __shared__ unsigned long long barrier;
#if __CUDA_ARCH__ >= 900
    const unsigned to = unsigned(__cvta_generic_to_shared(tile)), at = unsigned(__cvta_generic_to_shared(&barrier));
    if (threadIdx.x == 0) asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(at) : "memory");
    __syncthreads();
    if (threadIdx.x == 0)
        asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
                     ::"r"(to), "l"(x), "r"(bytes), "r"(at) : "memory");
#endif
    y[0] = tile[1] + float(barrier);
}
"""


@pytest.fixture(scope="module")
def loops():
    if not compiled_for():
        pytest.skip("the CUDA module has PTX only, as AUTO builds it without a GPU; STEEPEST_CUDA=ON compiles it")
    return codes(_cuda.__file__)


@pytest.fixture(scope="module")
def code():
    if not compiled_for():
        pytest.skip("the CUDA module has PTX only, as AUTO builds it without a GPU; STEEPEST_CUDA=ON compiles it")
    found = instructions(_cuda.__file__)
    assert all(found.values())
    return found


@pytest.fixture(scope="module")
def usages():
    return usage(_cuda.__file__)


@pytest.fixture(scope="module")
def streams(tmp_path_factory):
    """The kernels that stream rows, for the architectures of a release that the module was not built for."""
    if _nvcc() is None:
        return {}
    known = subprocess.run([nvcc(), "--list-gpu-code"], capture_output=True, text=True, check=True).stdout
    missing = RELEASED & set(re.findall(r"sm_(\d+)", known)) - compiled_for()
    options = ["-std=c++20", f"-I{ROOT}", f"-I{ROOT / 'cuda' / 'ptx'}", "-Werror=all-warnings"]
    options.append("-Xptxas=-warn-spills,-Werror")  # a spill of registers is an error
    source = ROOT / "cuda" / "launch" / "stream.cu"
    return instructions(compiled(tmp_path_factory.mktemp("streams"), source, missing, *options)) if missing else {}


def of(kernels, *names):
    """The kernels of these names, of which there must be some."""
    chosen = {kernel: found for kernel, found in kernels.items() if kernel.name in names}
    assert {kernel.name for kernel in chosen} == set(names)
    return chosen


def count(counts, *pattern):
    return sum(n for name, n in counts.items() if all(re.search(p, name) for p in pattern))


def those_with(kernels, *pattern):
    return [str(kernel) for kernel, counts in kernels.items() if count(counts, *pattern)]


def compiled_for():
    """The architectures that the module was built for, but for those of which it has PTX alone."""
    return {a.removesuffix("-real") for a in _cuda.versions()["architectures"].split() if not a.endswith("-virtual")}


def test_every_kernel_is_there_for_every_architecture(code, usages):
    assert {kernel.architecture for kernel in code} == compiled_for()
    assert {kernel.name for kernel in code} == set(NAMES)
    assert set(code) == {Kernel(a, kernel.symbol) for a in compiled_for() for kernel in code}
    assert set(usages) == set(code)


def test_no_local_memory(code, usages):
    assert those_with(code, r"^(LDL|STL)\b") == []
    assert [str(kernel) for kernel, used in usages.items() if used.stack or used.local] == []


def test_no_atomic_floats(code):
    assert those_with(code, r"^(ATOM|RED)", r"\.B?F(16|32|64)\b") == []


def test_integers_are_added_without_a_loop(code):
    assert those_with(of(code, "sparse_scatter"), r"CAS") == []


def test_updates_move_16_bytes_at_a_time(code):
    seen = set()
    for kernel, counts in of(code, "update").items():
        rule = re.search(r"updateI[fd]NS_\d+([A-Za-z]+)I", kernel.symbol)[1].lower()
        seen.add(rule)
        assert count(counts, r"^LDG\b", r"\.128\b") >= 2 + N_STATES[rule], str(kernel)
        assert count(counts, r"^STG\b", r"\.128\b") >= 1 + N_STATES[rule], str(kernel)
    assert seen == set(N_STATES)


def test_lanes_stream_rows_16_bytes_at_a_time(code):
    lanes = of(code, "lanes_gradient", "lanes_epoch")
    assert len(those_with(lanes, r"^LDG\b", r"\.EF\b", r"\.128\b")) == len(lanes)


def test_epochs_read_nothing_that_they_write_through_the_read_only_path(code):
    assert those_with(of(code, *EPOCHS), r"^LDG\b", r"\.CONSTANT\b") == []


def test_tiles_are_copied_asynchronously(code):
    for kernel, counts in of(code, "tile_gradient", "tile_epoch", "split_gradient").items():
        bulk = kernel.name != "split_gradient" and "Lb1E" in kernel.symbol
        architecture = int(kernel.architecture)
        assert bool(count(counts, "^UBLKCP")) == (bulk and architecture >= 90), str(kernel)
        assert bool(count(counts, "^LDGSTS", r"\.128\b")) == (not bulk and architecture >= 80), str(kernel)


def test_rows_stream_by_the_copies_of_the_architecture(code, streams):
    kernels = of(code | streams, "stream_gradient")
    assert len({kernel.architecture for kernel in kernels}) > 1 or _nvcc() is None
    for kernel, counts in kernels.items():
        architecture = int(kernel.architecture)
        assert bool(count(counts, "^UBLKCP")) == (architecture >= 90), str(kernel)
        assert bool(count(counts, "^LDGSTS", r"\.128\b")) == (80 <= architecture < 90), str(kernel)
        assert bool(count(counts, "^LDS", r"\.128\b")) == (architecture >= 80), str(kernel)


def starving(loops):
    return sorted(str(kernel) for kernel, code in loops.items() if any(map(code.starves, code.innermost_loops())))


def dividing(loops):
    return sorted(
        str(kernel) for kernel, code in loops.items() if any(map(code.divides_while_it_copies, code.innermost_loops()))
    )


def unfenced(loops):
    """The kernels where the copy engine may see a barrier that is not initialised, and how many use the engine."""
    found, bulk = [], 0
    for kernel, code in loops.items():
        begun = [i for i in code.instructions if i.name.startswith("SYNCS.EXCH")]
        copies = any(i.operation == "UBLKCP" for i in code.instructions)
        assert bool(begun) == copies, str(kernel)
        bulk += copies
        if any(code.reaches(i, "UBLKCP", "FENCE.VIEW.ASYNC") for i in begun):
            found.append(str(kernel))
    return sorted(found), bulk


def test_loops_wait_for_several_loads_at_once(code, loops):
    assert set(loops) == set(code)
    assert starving(loops) == []


def test_copies_into_tiles_do_not_divide(loops):
    assert dividing(loops) == []


def test_barriers_are_fenced_before_the_copy_engine_sees_them(loops):
    found, bulk = unfenced(loops)
    assert found == []
    assert bool(bulk) == any(int(architecture) >= 90 for architecture in compiled_for())


def test_losses_of_float32_call_no_division(loops):
    calling = {
        re.search(r"gradientI(?:NS_)?(\w)", kernel.symbol)[1]  # the first letter of the storage: d of double
        for kernel, code in of(loops, "lanes_gradient", "tile_gradient", "split_gradient").items()
        if any(i.operation == "CALL" and "_div_rn_" in i.operands for i in code.instructions)
    }
    assert calling == {"d"}


def _nvcc():
    return os.environ.get("CUDACXX") or shutil.which("nvcc")


def nvcc():
    found = _nvcc()
    if found is None:
        pytest.skip("nvcc was not found: CUDACXX names another place")
    return found


def compiled(folder, source, architectures, *options):
    """A fatbin of a source."""
    targets = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    binary = folder / "kernels.fatbin"
    subprocess.run([nvcc(), "-fatbin", "--threads=2", *options, *targets, "-o", binary, source], check=True)
    return binary


def compiled_text(folder, text):
    """A fatbin of a text, for the architectures of the module."""
    source = folder / "control.cu"
    source.write_text(text)
    return compiled(folder, source, compiled_for())


def test_bad_loops_can_be_found(tmp_path):
    found = codes(compiled_text(tmp_path, CONTROL_LOOPS))
    assert len(found) == 3 * len(compiled_for())
    assert sum("serial" in name for name in starving(found)) == len(compiled_for())
    assert sum("divided" in name for name in dividing(found)) == len(compiled_for())
    names, bulk = unfenced(found)
    assert len(names) == bulk == sum(int(architecture) >= 90 for architecture in compiled_for())


def test_what_is_looked_for_can_be_found(tmp_path):
    binary = compiled_text(tmp_path, CONTROL)
    kernels, usages = instructions(binary), usage(binary)
    assert {kernel.architecture for kernel in kernels} == {kernel.architecture for kernel in usages} == compiled_for()
    for pattern in ([r"^LDL\b"], [r"^STL\b"], [r"^LDG\b", r"\.CONSTANT\b"], [r"^RED", r"\.F32\b"], [r"CAS"]):
        assert len(those_with(kernels, *pattern)) == len(kernels), pattern
    assert all(used.stack > 0 for used in usages.values())
