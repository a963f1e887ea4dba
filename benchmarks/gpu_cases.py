"""The cases of bench_cuda.py but the updates: gradients, mini-batch steps and whole fits; checked, then timed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import bench_epoch
import gpu_model
import harness
import steepest as st
from bench_gradient import OBJECTIVES, REFERENCES, blocks, draw, expected
from gpu_arrays import Array, Library, as_tensor, rotated, timer, to_host
from gpu_tables import in_words
from steepest import _core
from steepest.descent.arguments import seed_of

STORAGES = {"float32": "float32", "float64": "float64", "float16": "16 bit"}
TOLERANCES = {"float32": 5e-6, "float64": 1e-12, "float16": 5e-6}
PEER_TOLERANCES = {"float32": 1e-3, "float64": 1e-12}
Row = dict[str, Any]


@dataclass
class Bench:
    """What every case needs: the options, the library of the arrays, the peers that see a device."""

    options: argparse.Namespace
    arrays: Library
    torch: Any
    cuml: Any
    tiny: bool = False  # check at tiny sizes, time nothing

    def time(self, calls: Mapping[str, Sequence[harness.Call]]) -> harness.Times:
        """Time every contender, each going round its inputs."""
        return harness.interleave({k: timer(self.arrays, c, self.options) for k, c in calls.items()}, self.options)


def result(times: harness.Times, moved: float, predicted: gpu_model.Range, inputs: int, error: float) -> Row:
    """Make a row of medians and ratios, the prediction beside them."""
    row: Row = {"ours": times.median("ours"), "GB/s": moved / times.median("ours") / 1e9}
    row |= {"predicted": in_words(predicted), "of predicted": 2 * times.median("ours") / sum(predicted)}
    for name in ("cupy", "torch", "cuml"):
        if name in times.seconds:
            row |= {name: times.median(name), f"x {name}": times.ratio(name, "ours")}
    return {**row, "inputs": inputs, "error": error, "predicted seconds": predicted, "seconds": times.seconds}


def expression(xp: Any, loss: str, X: Any, y: Any, w: Any) -> tuple[float, Any, Any]:
    """Value and gradient, the intercept's apart, as a user of an array library writes them: two passes over X."""
    z = X @ w[:-1] + w[-1]
    if loss == "least_squares":
        value, slope = ((z - y) ** 2).mean(), 2 * (z - y) / len(y)
    else:
        value = ((z + abs(z)) / 2 + xp.log1p(xp.exp(-abs(z))) - y * z).mean()
        slope = (1 / (1 + xp.exp(-z)) - y) / len(y)
    return float(value), X.T @ slope, slope.sum()


def check_gradient(
    bench: Bench, label: str, storage: str, answers: dict[str, Any], right: tuple[float, Array]
) -> float:
    """Check value and gradient of each contender against those in float64; return our error."""
    errors = {}
    for name, (value, *gradient) in answers.items():
        tolerance = TOLERANCES[storage] if name == "ours" else PEER_TOLERANCES[storage]
        got = np.concatenate([np.ravel(to_host(bench.arrays, part)) for part in gradient])
        error = harness.check(f"{label}, {name}, value", value, right[0], tolerance)
        errors[name] = max(error, harness.check(f"{label}, {name}, gradient", got, right[1], tolerance))
    return errors["ours"]


def gradient(bench: Bench, label: str, loss: str, storage: str, n: int, d: int) -> Row | None:
    """Check, then time, value and gradient."""
    X, targets, w, v = draw((n, d))
    X, number = X.astype(storage, copy=False), np.float64 if storage == "float64" else np.float32
    y, w = targets[loss].astype(number), w.astype(number)
    right = expected(loss, X, y, w, v)[:2]
    put = bench.arrays.put
    sets = rotated(lambda: (put(X), put(y), put(w)), X.nbytes, bench.options.quick or bench.tiny)
    objectives = [(OBJECTIVES[loss](*data[:2]), data[2]) for data in sets]
    calls: dict[str, list[Any]] = {"ours": [lambda o=o, w=w: o.value_and_gradient(w) for o, w in objectives]}
    if storage in PEER_TOLERANCES:
        for name, xp, inputs in peers_of(bench, sets):
            calls[name] = [lambda data=data, xp=xp: expression(xp, loss, *data) for data in inputs]
    error = check_gradient(bench, label, storage, {name: each[0]() for name, each in calls.items()}, right)
    if bench.tiny:
        return None
    model = n, d, STORAGES[storage]
    predicted = gpu_model.gradient_seconds(*model, loss)
    return result(bench.time(calls), gpu_model.pass_bytes(*model), predicted, len(sets), error)


def peers_of(bench: Bench, sets: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, Any, list[tuple[Any, ...]]]]:
    """List CuPy and torch where they are there, each with its functions and its view of the inputs."""
    if bench.arrays.name == "cupy":
        yield "cupy", bench.arrays.cupy, list(sets)  # type: ignore[attr-defined]
    if bench.torch is not None:
        yield "torch", bench.torch, [tuple(as_tensor(bench.torch, array) for array in data) for data in sets]


def torch_loop(torch: Any, X: Any, y: Any, order: Any, batch: int) -> Any:
    """Walk once through `order` as is usual in PyTorch, all of it on the device; returns w, the intercept last."""
    model = torch.nn.Linear(X.shape[1], 1, device=X.device)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=bench_epoch.RATES["Adam"], fused=True)
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    for rows in order.split(batch):
        optimizer.zero_grad()
        loss(model(X[rows]).squeeze(1), y[rows]).backward()
        optimizer.step()
    return torch.cat([parameter.detach().ravel() for parameter in model.parameters()])


def check_step(bench: Bench, label: str, batch: int, d: int) -> float:
    """Hold our epochs, and torch's, against those in float64 on a small problem; return our error."""
    n, epochs = 300 + 2 * batch + batch // 2, bench_epoch.EPOCHS_CHECKED  # the last batch is short
    X, y = bench_epoch.draw(n, d)
    orders = [np.asarray(_core.row_order(n, seed_of(bench_epoch.SEED), e)) for e in range(epochs)]
    data = bench.arrays.put(X), bench.arrays.put(y)
    got = bench_epoch.ours(st.Logistic(*data), batch, "Adam", epochs, epochs).w
    right = bench_epoch.reference(X, y, orders, batch, "Adam")
    error = harness.check(f"{label}, ours", to_host(bench.arrays, got), right, bench_epoch.TOLERANCE)
    if bench.torch is not None:
        features, targets, order = (
            as_tensor(bench.torch, a) for a in (*data, bench.arrays.put(orders[0].astype(np.int64)))
        )
        answer = torch_loop(bench.torch, features, targets, order, batch)
        right = bench_epoch.reference(X, y, orders[:1], batch, "Adam")
        harness.check(f"{label}, torch", answer.cpu().numpy(), right, bench_epoch.TOLERANCE)
    return error


def step(bench: Bench, label: str, batch: int, d: int) -> Row | None:
    """Check, then time, a mini-batch step: epochs without their set-up, over the steps."""
    error = check_step(bench, label, batch, d)
    if bench.tiny:
        return None
    n = 5000 if bench.options.quick else 100_000_000 // d
    X, y = bench_epoch.draw(n, d)
    data = bench.arrays.put(X), bench.arrays.put(y)
    objective, steps = st.Logistic(*data), -(-n // batch)
    epoch = bench_epoch.epoch_timer(lambda k: bench_epoch.ours(objective, batch, "Adam", k, k), bench.options)
    timers: dict[str, harness.Timer] = {"ours": lambda: epoch() / steps}
    if bench.torch is not None:
        torch, timed = bench.torch, min(steps, 20 if bench.options.quick else 500)
        order = bench.arrays.put(np.random.default_rng(0).permutation(n)[: timed * batch])
        features, targets, rows = (as_tensor(torch, array) for array in (*data, order))
        loop = lambda: torch_loop(torch, features, targets, rows, batch)  # noqa: E731
        timers["torch"] = lambda: bench.arrays.seconds([loop]) / timed
    times, moved = harness.interleave(timers, bench.options), 4.0 * batch * (d + 1)
    return result(times, moved, gpu_model.step_seconds(batch, d), 1, error)


def cuml_fit(cuml: Any, loss: str, X: Any, y: Any) -> Array:
    """Fit by cuML without a penalty; return w, the intercept last."""
    linear = cuml.linear_model
    made = linear.LinearRegression() if loss == "least_squares" else linear.LogisticRegression(penalty=None)
    model = made.fit(X, y)
    parts = (part.get() if hasattr(part, "get") else part for part in (model.coef_, model.intercept_))
    return np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for part in parts])


def fit(bench: Bench, label: str, loss: str) -> Row | None:
    """Check, then time, a fit as a whole beside cuML's, which minimises by another method; the values are compared."""
    n, d = (2000, 9) if bench.options.quick or bench.tiny else (1_000_000, 100)
    X, targets, _, _ = draw((n, d))
    data = bench.arrays.put(X), bench.arrays.put(targets[loss])

    def ours() -> Any:
        rule = st.Adam(st.schedules.ExponentialDecay(0.01, factor=0.5, every=-(-n // 4096)))
        return st.minimize(
            OBJECTIVES[loss](*data), optimizer=rule, batch_size=4096, max_epochs=10, evaluate_every=10, random_state=0
        )

    def value(w: Array) -> float:
        parts = ((REFERENCES[loss](X[rows], targets[loss][rows], w)[0], len(X[rows])) for rows in blocks(X))
        return float(sum(part * rows for part, rows in parts)) / n

    found = ours()
    reached = value(to_host(bench.arrays, found.w).astype(np.float64))
    error = harness.check(f"{label}, value", found.value, reached, 1e-5)
    if bench.tiny:
        return None
    calls = {"ours": [ours]}
    row: Row = {"value": reached}
    if bench.cuml is not None:
        calls["cuml"] = [lambda: cuml_fit(bench.cuml, loss, *data)]
        row["cuml value"] = value(cuml_fit(bench.cuml, loss, *data))
    times = bench.time(calls)
    row |= {"ours": times.median("ours"), "inputs": 1, "error": error, "seconds": times.seconds}
    if bench.cuml is not None:
        row |= {"cuml": times.median("cuml"), "x cuml": times.ratio("cuml", "ours")}
    return row
