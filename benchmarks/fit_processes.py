"""The contenders of bench_fit.py, each in a process of its own that makes the problem and the contender anew."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import processes
from fit_contenders import Contender
from fit_ladder import Fitter
from fit_reference import Problem


def remade(path: Path, made_by: str, name: str) -> Fitter:
    """Read a problem and make one of its contenders; `made_by` is "module:function"."""
    kept: Problem = pickle.loads(path.read_bytes())
    X = np.array(kept.X, order="K") if isinstance(kept.X, np.ndarray) else kept.X.copy()
    problem = replace(kept, X=X, y=kept.y.copy())  # in memory of NumPy's, which is in large pages where it can be
    del kept, X
    module, _, function = made_by.partition(":")
    found: list[Contender] = getattr(importlib.import_module(module), function)(problem)
    return Fitter(next(each for each in found if each.name == name))


@contextlib.contextmanager
def hosts(problem: Problem, together: bool) -> Iterator[Callable[[Contender], processes.Here]]:
    """Yield the function that starts a contender's process; on leaving all end.

    A contender that does not say who made it, and all where they are to be together, stay in this process.
    """
    with contextlib.ExitStack() as stack:
        path: list[Path] = []

        def start(contender: Contender) -> processes.Here:
            if together or not contender.made_by:
                return processes.Here(Fitter, contender)
            if not path:
                path.append(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "problem.pickle")
                with path[0].open("wb") as file:
                    pickle.dump(problem, file, protocol=5)
            host = processes.Apart(remade, path[0], contender.made_by, contender.name)
            return stack.enter_context(host)

        yield start
