"""What all tests share: no time limit in hypothesis, warnings, threads, ISA levels, CUDA modules, a Dask cluster."""

from __future__ import annotations

import importlib
import os

import hypothesis
import pytest

from devices import MODULES, Memory, module
from emulation.build import is_built
from steepest import _core
from steepest.arrays import device

_IS_CI = "CI" in os.environ
_NAMED = "STEEPEST_TESTS_ARE_NAMED"  # for the workers
_EXAMPLES = 40  # of hypothesis, where a test gives no number: others every time, and the same in CI
hypothesis.settings.register_profile("steepest", deadline=None, derandomize=_IS_CI, max_examples=_EXAMPLES)
hypothesis.settings.load_profile("steepest")


def pytest_configure(config):
    """Make this package's warnings errors, and in CI those of all packages, wherever they are attributed to."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[_NAMED] = "" if config.args_source is config.ArgsSource.TESTPATHS else "yes"
    lines = ["error::steepest.DiagnosisWarning", "error::steepest.RankWarning"]
    for line in [*lines, "error"] if _IS_CI else lines:
        config.addinivalue_line("filterwarnings", line)
    if getattr(config.option, "tx", None):  # the workers, which are yet to start, inherit it
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    share_processors(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Take for slow the tests at other ISA levels than the best one: together they take long.

    So are tests of the emulated kernels, whose build takes a minute, unless it is there or the user named some tests.
    """
    best, at_hand = _core.isa_levels_supported()[-1], bool(os.environ.get(_NAMED)) or is_built()
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        given = any(isinstance(each, str) and each == "emulated" for each in params.values())
        emulated = given or item.get_closest_marker("emulated")
        if params.get("isa", best) != best or (emulated and not at_hand):
            item.add_marker(pytest.mark.slow)


def share_processors(workers):
    """Give the kernels of each worker its share of the processors, unless the environment sets their threads.

    With more threads than processors, every loop waits for the scheduler. A test of threads sets their number itself.
    """
    if workers > 1 and not os.environ.get("STEEPEST_NUM_THREADS"):
        _core.set_threads(max(_core.threads_in_use() // workers, 1))


@pytest.fixture(params=_core.isa_levels_supported())
def isa(request):
    """Each ISA level in turn, in use while the test runs."""
    before = _core.isa_level()
    _core.choose_isa_level(request.param)
    yield request.param
    _core.choose_isa_level(before)


@pytest.fixture(params=MODULES)
def device_module(request):
    """The CUDA kernels emulated on the CPU, then on a GPU where there is one."""
    return module(request.param)


@pytest.fixture
def memory(device_module):
    return Memory(device_module)


@pytest.fixture
def cuda(device_module):
    """A CUDA module that steepest uses while the test runs."""
    with device.use(device_module):
        yield device_module


@pytest.fixture(scope="module")
def dask_cluster():
    """A Dask cluster of two processes."""
    with importlib.import_module("dask_cases").a_cluster() as found:
        yield found


@pytest.fixture
def dask_client(dask_cluster):
    """A client with two workers, those in the place of dead ones among them."""
    with importlib.import_module("distributed").Client(dask_cluster) as found:
        found.wait_for_workers(2, timeout=60)
        yield found
