"""Paired timings: fresh processes of two builds, which take turns in timing the same calls.

In every round each group of shapes gets a new process of either build. Both make their data and warm up; then they are
asked in turn (A B B A) for the time of a call, so that a machine that is slower for a while is so for both.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import os
import statistics
import subprocess
import sys
import timeit
import warnings
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = Path(__file__).resolve().parents[1] / "compare_builds.py"
TURNS = (0, 1, 1, 0)
HEADING = f"{'case':64} {'before':>10} {'after':>10} {'ratio':>7}  rounds"


def serve(options: argparse.Namespace) -> None:
    """Be one of the processes: name the calls, then time each one that is asked for by its name."""
    from .shapes import groups

    warnings.simplefilter("ignore")
    if options.group is None:
        print(json.dumps(list(groups(options.size))))
        return
    calls = groups(options.size)[options.group]()
    watches = {name: timeit.Timer(call) for name, call in calls.items()}
    loops = {name: loops_of(watch, options.seconds) for name, watch in watches.items()}
    print(json.dumps(list(calls)), flush=True)
    for line in sys.stdin:
        name = line.strip()
        if loops[name] > 1:
            watches[name].timeit(1)  # what the other process has displaced comes back
        print(watches[name].timeit(loops[name]) / loops[name], flush=True)


def loops_of(watch: timeit.Timer, enough: float) -> int:
    """Return how many calls take about `enough` seconds."""
    watch.timeit(1)
    loops = 1
    while (elapsed := watch.timeit(loops)) < enough / 2:
        loops *= min(10, math.ceil(enough / max(elapsed, 1e-9)))
    return loops


class Process:
    """A process of one build, and questions to it."""

    def __init__(self, build: str, group: str | None, options: argparse.Namespace) -> None:
        python, environment = command_of(build)
        command = [python, str(SCRIPT), "serve", *([] if group is None else [group])]
        command += ["--size", options.size, "--seconds", str(options.seconds)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)

    def answer(self) -> Any:
        """Return its next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process {self.process.args!r} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def ask(self, name: str) -> float:
        """Return the seconds of a call."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return float(self.answer())

    def end(self) -> None:
        """End it."""
        self.process.communicate()


def command_of(build: str) -> tuple[str, dict[str, str]]:
    """Return the Python of a build, which is an executable or a folder for PYTHONPATH, and its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = Path(build)
    if path.is_dir():
        return sys.executable, environment | {"PYTHONPATH": str(path.resolve())}
    if not os.access(path, os.X_OK):
        raise SystemExit(f"a build must be a folder for PYTHONPATH or a Python executable, got {build}")
    return str(path.absolute()), environment


class Times(NamedTuple):
    """The seconds of one call, before and after, round by round."""

    before: list[list[float]]
    after: list[list[float]]

    def ratios(self) -> list[float]:
        """Return after over before of each round: of the shortest times, since other work only adds to them."""
        return [min(after) / min(before) for before, after in zip(self.before, self.after, strict=True)]

    def line(self, name: str) -> str:
        """Return the row of the table; a "*" marks a ratio that is off by more than 2% in every round."""
        before, after = (statistics.median(map(min, part)) for part in self)
        ratios = self.ratios()
        least, most = min(ratios), max(ratios)
        mark = " *" if least > 1.02 or most < 0.98 else ""
        seconds = f"{_seconds(before):>10} {_seconds(after):>10}"
        return f"{name:64} {seconds} {statistics.median(ratios):7.3f}  {least:.3f} to {most:.3f}{mark}"


def _seconds(value: float) -> str:
    unit, size = next(((unit, size) for unit, size in (("s", 1.0), ("ms", 1e-3)) if value >= size), ("us", 1e-6))
    return f"{value / size:.4g} {unit}"


def one_round(group: str, number: int, options: argparse.Namespace) -> dict[str, tuple[list[float], list[float]]]:
    """Time all calls of a group with a new process of each build; every other round starts with the other one."""
    builds = (options.before, options.after)
    both = [Process(build, group, options) for build in builds]
    names = [process.answer() for process in both]
    found: dict[str, tuple[list[float], list[float]]] = {}
    for name in (name for name in names[0] if name in names[1]):
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.turns):
            for turn in TURNS:
                which = turn ^ (number % 2)
                seconds[which].append(both[which].ask(name))
        found[name] = seconds
    for process in both:
        process.end()
    return found


def group_names(options: argparse.Namespace) -> list[str]:
    """Return the names of the groups, from the build that was before: this process need not have steepest."""
    process = Process(options.before, None, options)
    names = list(process.answer())
    process.end()
    return names


def selected(names: list[str], patterns: list[str] | None) -> list[str]:
    """Return the groups whose names match a pattern, all without patterns."""
    return [name for name in names if any(fnmatch.fnmatchcase(name, f"*{each}*") for each in patterns or ["*"])]


def table(options: argparse.Namespace, groups: list[str]) -> dict[str, list[float]]:
    """Time the groups, print a row a call, and return the ratios by round."""
    print(HEADING, flush=True)
    ratios: dict[str, list[float]] = {}
    for group in groups:
        rounds = [one_round(group, number, options) for number in range(options.rounds)]
        for name in rounds[0]:
            times = Times([each[name][0] for each in rounds], [each[name][1] for each in rounds])
            ratios[f"{group}: {name}"] = times.ratios()
            print(times.line(f"{group}: {name}"), flush=True)
    medians = [statistics.median(each) for each in ratios.values()]
    print(f"{len(medians)} cases: median {statistics.median(medians):.3f}, {min(medians):.3f} to {max(medians):.3f}")
    return ratios
