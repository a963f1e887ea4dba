"""The updates of bench_cuda.py: every rule's step on device arrays, against CuPy and torch.optim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import gpu_model
from gpu_arrays import Array, Library, as_tensor, rotated, to_host
from gpu_cases import Bench, Row, result
from gpu_tables import SIZES
from update_contenders import RATE, RULES, Rule, check


class Contender:
    """A contender's own w on the device; `w` copies it to the host, once a step."""

    def __init__(self, arrays: Library, w: Array, g: Array) -> None:
        self.arrays, self.here, self.g = arrays, arrays.put(w), arrays.put(g)
        self._host: Array | None = None

    @property
    def w(self) -> Array:
        """The parameters on the host."""
        if self._host is None:
            self._host = to_host(self.arrays, self.here)
        return self._host

    def step(self) -> None:
        """Take one step."""
        self._host = None
        self.take()

    def take(self) -> None:
        """Take one step by the contender's own means."""
        raise NotImplementedError


class Ours(Contender):
    """Our optimizer."""

    def __init__(self, arrays: Library, rule: Rule, w: Array, g: Array) -> None:
        super().__init__(arrays, w, g)
        self.optimizer = rule.optimizer(RATE, **rule.options)

    def take(self) -> None:
        """Take one step."""
        self.optimizer.step(self.here, self.g)


class Cupy(Contender):
    """The recurrence as for NumPy, whose functions CuPy's arrays take."""

    def __init__(self, arrays: Library, rule: Rule, w: Array, g: Array) -> None:
        super().__init__(arrays, w, g)
        self.rule, self.t = rule, 0
        self.state = {name: arrays.put(np.zeros_like(w)) for name in rule.state}

    def take(self) -> None:
        """Take one step."""
        self.t += 1
        self.rule.numpy(self.here, self.g, self.state, self.t)


class Torch(Contender):
    """torch.optim over the same arrays."""

    def __init__(self, arrays: Library, rule: Rule, w: Array, g: Array, torch: Any) -> None:
        super().__init__(arrays, w, g)
        parameter = torch.nn.Parameter(as_tensor(torch, self.here))
        parameter.grad = as_tensor(torch, self.g)
        self.optimizer = getattr(torch.optim, rule.torch)([parameter], lr=RATE, **rule.torch_options)

    def take(self) -> None:
        """Take one step."""
        self.optimizer.step()


def cases(small: bool) -> Iterator[tuple[str, str, int]]:
    """List rule, dtype and size: Adam at all sizes, every rule at one, and once in float64."""
    for name in RULES:
        sizes = [33, 1000] if small else SIZES if name == "Adam" else [10_000_000]
        yield from ((name, "float32", n) for n in sizes)
    yield "Adam", "float64", 33 if small else 10_000_000


def contenders(bench: Bench, rule: Rule, w: Array, g: Array) -> dict[str, Contender]:
    """Make a contender of each library that is there."""
    found: dict[str, Contender] = {"ours": Ours(bench.arrays, rule, w, g)}
    if bench.arrays.name == "cupy":
        found["cupy"] = Cupy(bench.arrays, rule, w, g)
    if bench.torch is not None and rule.torch:
        found["torch"] = Torch(bench.arrays, rule, w, g, bench.torch)
    return found


def update(bench: Bench, label: str, name: str, dtype: str, n: int) -> Row | None:
    """Check, then time, a step of one rule."""
    random, rule = np.random.default_rng(0), RULES[name]
    w, g = (random.standard_normal(n).astype(dtype) for _ in range(2))
    made: Mapping[str, Contender] = contenders(bench, rule, w, g)
    error = check(label, rule, dict(made), w, g)["ours"]
    if bench.tiny:
        return None
    del made
    moved = gpu_model.update_bytes(rule_name(name), n, dtype)
    sets = rotated(lambda: contenders(bench, rule, w, g), moved, bench.options.quick)
    calls = {who: [each[who].take for each in sets] for who in sets[0]}
    predicted = gpu_model.update_seconds(rule_name(name), n, dtype)
    return result(bench.time(calls), moved, predicted, len(sets), error)


def rule_name(name: str) -> str:
    """Drop a rule's options from its name."""
    return name.partition("(")[0]
