"""Mini-batch epochs of logistic regression against loops in NumPy and PyTorch and scikit-learn's SGDClassifier."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from steepest import _core
from steepest.descent.arguments import seed_of

Array = NDArray[Any]
BATCHES = [1, 32, 256, 4096]
RATES = {"GradientDescent": 0.01, "Adam": 1e-3}
OPTIMIZERS: dict[str, Any] = {"GradientDescent": st.GradientDescent, "Adam": st.Adam}
REFERENCES: dict[str, Any] = {"GradientDescent": st.reference.gradient_descent, "Adam": st.reference.adam}
TORCH_RULES = {"GradientDescent": "SGD", "Adam": "Adam"}
SEED, EPOCHS_CHECKED = 0, 2
TOLERANCE = 1e-4  # float32, relative to how far the parameters moved


def draw(n: int, d: int) -> tuple[Array, Array]:
    """Draw features and 0/1 targets in float32."""
    random = np.random.default_rng(0)
    X = np.empty((n, d), dtype=np.float32)
    random.standard_normal(dtype=np.float32, out=X)
    scores = X @ (random.standard_normal(d) / np.sqrt(d)).astype(np.float32)
    return X, (scores + random.logistic(size=n) > 0).astype(np.float32)


def reference(X: Array, y: Array, orders: Sequence[Array], batch: int, rule: str) -> Array:
    """Run the epochs whose row orders are given, in float64, written with st.reference alone."""
    w, t = np.zeros(X.shape[1] + 1), 0
    state: dict[str, Array] = {}
    for order in orders:
        for start in range(0, len(y), batch):
            rows = order[start : start + batch]
            t += 1
            gradient = st.reference.logistic(X[rows], y[rows], w)[1]
            w, state = REFERENCES[rule](w, gradient, state, t, RATES[rule])
    return w


def numpy_loop(X: Array, y: Array, order: Array, batch: int, rule: str) -> Array:
    """Walk once through `order`, as a careful NumPy user writes it; returns w, the intercept last."""
    w, m, v = (np.zeros(X.shape[1] + 1, dtype=X.dtype) for _ in range(3))
    gradient, rate = np.empty_like(w), RATES[rule]
    for t, start in enumerate(range(0, len(order), batch), 1):
        rows = order[start : start + batch]
        features = X[rows]
        slope = (0.5 + 0.5 * np.tanh(0.5 * (features @ w[:-1] + w[-1])) - y[rows]) / len(rows)
        gradient[:-1] = slope @ features
        gradient[-1] = slope.sum()
        if rule == "Adam":
            m *= 0.9
            m += 0.1 * gradient
            v *= 0.999
            v += 0.001 * gradient * gradient
            w -= rate / (1 - 0.9**t) * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        else:
            w -= rate * gradient
    return w


class TorchLoop:
    """The usual PyTorch loop: linear layer, loss with logits, backward, fused optimizer step."""

    def __init__(self, torch: Any, threads: int = 1) -> None:
        self.torch, self.threads = torch, threads

    def __call__(self, X: Array, y: Array, order: Array, batch: int, rule: str) -> Array:
        """Walk once through `order`; returns w, the intercept last."""
        torch = self.torch
        torch.set_num_threads(self.threads)
        features, targets, rows = (torch.from_numpy(array) for array in (X, y, order))
        model = torch.nn.Linear(X.shape[1], 1)
        torch.nn.init.zeros_(model.weight)
        torch.nn.init.zeros_(model.bias)
        optimizer = getattr(torch.optim, TORCH_RULES[rule])(model.parameters(), lr=RATES[rule], fused=True)
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        for chosen in rows.split(batch):
            optimizer.zero_grad()
            loss(model(features[chosen]).squeeze(1), targets[chosen]).backward()
            optimizer.step()
        return np.concatenate([parameter.detach().numpy().ravel() for parameter in model.parameters()])


def scikit_learn_fit(sklearn: Any, X: Array, y: Array, epochs: int, shuffle: bool = True) -> Array:
    """Run SGDClassifier at a constant rate without penalty; returns w, the intercept last."""
    model = sklearn.SGDClassifier(
        loss="log_loss", penalty=None, learning_rate="constant", eta0=RATES["GradientDescent"],
        max_iter=epochs, tol=None, shuffle=shuffle, random_state=SEED,
    ).fit(X, y)  # fmt: skip
    return np.append(model.coef_[0], model.intercept_)


def ours(objective: Any, batch: int, rule: str, epochs: int, evaluate_every: int) -> Any:
    """Run our loop."""
    return st.minimize(
        objective, optimizer=OPTIMIZERS[rule](RATES[rule]), batch_size=batch, max_epochs=epochs,
        evaluate_every=evaluate_every, random_state=SEED, diagnose=False,
    )  # fmt: skip


def check(label: str, batch: int, rule: str, columns: int, peers: dict[str, Any]) -> float:
    """Hold every contender against the reference over the same rows, on a small problem; return our relative error."""
    n = 300 + 2 * batch + batch // 2  # the last batch is short
    X, y = draw(n, columns)
    orders = [np.asarray(_core.row_order(n, seed_of(SEED), epoch)) for epoch in range(EPOCHS_CHECKED)]
    right = reference(X, y, orders, batch, rule)
    got = ours(st.Logistic(X, y), batch, rule, EPOCHS_CHECKED, EPOCHS_CHECKED).w
    error = harness.check(f"{label}, ours", got, right, TOLERANCE)
    order = orders[0].astype(np.int64)
    right = reference(X, y, [order], batch, rule)
    harness.check(f"{label}, NumPy", numpy_loop(X, y, order, batch, rule), right, TOLERANCE)
    if peers["torch"]:
        harness.check(f"{label}, torch", TorchLoop(peers["torch"])(X, y, order, batch, rule), right, TOLERANCE)
    if peers["sklearn.linear_model"] and batch == 1 and rule == "GradientDescent":
        right = reference(X, y, [np.arange(n)], batch, rule)
        got = scikit_learn_fit(peers["sklearn.linear_model"], X, y, 1, shuffle=False)
        harness.check(f"{label}, scikit-learn", got, right, TOLERANCE)
    return error


def seconds_of(call: harness.Call) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def epoch_timer(run: Callable[[int], object], options: argparse.Namespace) -> harness.Timer:
    """Time an epoch without set-up: a run of 1 + k epochs less a run of 1, over k (k so that it takes some 0.3 s)."""
    more = 0

    def sample() -> float:
        nonlocal more
        if not more:
            enough = 0.005 if options.quick else 0.3
            more = min(50, math.ceil(enough / max(seconds_of(lambda: run(2)) / 2, 1e-9)))
        once = seconds_of(lambda: run(1))
        return max(seconds_of(lambda: run(1 + more)) - once, 1e-9) / more

    return sample


def timers(
    X: Array, y: Array, batch: int, rule: str, peers: dict[str, Any], options: argparse.Namespace
) -> tuple[dict[str, harness.Timer], str]:
    """Make the contenders' timers, each of seconds an epoch, and say how much of an epoch the loops are timed over."""
    objective = st.Logistic(X, y)
    if not (value := ours(objective, batch, rule, 1, 1).value) < math.log(2):
        raise harness.WrongAnswer(f"{rule}/{batch}: an epoch leaves the loss at {value}, no lower than its start")
    steps = -(-len(y) // batch)
    timed = min(steps, options.steps)
    order = np.random.default_rng(SEED).permutation(len(y))[: timed * batch]

    def loop_timer(loop: Callable[..., object]) -> harness.Timer:
        return lambda: seconds_of(lambda: loop(X, y, order, batch, rule)) * steps / timed

    result = {
        "ours": epoch_timer(lambda epochs: ours(objective, batch, rule, epochs, epochs), options),
        "evaluating": epoch_timer(lambda epochs: ours(objective, batch, rule, epochs, 1), options),
        "numpy": loop_timer(numpy_loop),
    }
    if peers["torch"]:
        for threads in harness.thread_choices():
            result[f"torch {threads}"] = loop_timer(TorchLoop(peers["torch"], threads))
    if peers["sklearn.linear_model"] and batch == 1 and rule == "GradientDescent":
        fit = peers["sklearn.linear_model"]
        result["sklearn"] = epoch_timer(lambda epochs: scikit_learn_fit(fit, X, y, epochs), options)
    return result, f"{timed} of {steps}"


def measure(
    X: Array, y: Array, batch: int, rule: str, peers: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """Check one batch size and rule on a small problem, then time it on X."""
    error = check(f"{rule}/{batch}", batch, rule, X.shape[1], peers)
    contenders, timed = timers(X, y, batch, rule, peers, options)
    times = harness.interleave(contenders, options)
    torch, sklearn = times.best("torch"), times.best("sklearn")
    return {
        "ours": times.median("ours"),
        "a step": times.median("ours") / -(-len(y) // batch),
        "evaluating": times.median("evaluating"),
        "NumPy": times.median("numpy"),
        "x NumPy": times.ratio("numpy", "ours"),
        "torch": torch and times.median(torch),
        "x torch": torch and times.ratio(torch, "ours"),
        "x evaluating": torch and times.ratio(torch, "evaluating"),
        "threads": torch and torch.split()[1],
        "sklearn": sklearn and times.median(sklearn),
        "x sklearn": sklearn and times.ratio(sklearn, "ours"),
        "steps timed": timed,
        "error": error,
        "seconds": times.seconds,
    }


COLUMNS: dict[str, Callable[[Any], str]] = {
    "rule": str,
    "batch": "{:d}".format,
    **dict.fromkeys(("ours", "a step", "evaluating", "NumPy"), harness.seconds),
    "x NumPy": "{:.1f}".format,
    "torch": harness.seconds,
    **dict.fromkeys(("x torch", "x evaluating"), "{:.1f}".format),
    "threads": "{}".format,
    "sklearn": harness.seconds,
    "x sklearn": "{:.1f}".format,
    "steps timed": "{}".format,
    "error": "{:.0e}".format,
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected rule and batch size."""
    peers = {name: harness.peer(name) for name in ("torch", "sklearn.linear_model")}
    facts = {
        "problem": f"logistic, {options.rows} x {options.columns}, float32, C order; seconds an epoch",
        "ours": "runs of 1 + k epochs less runs of 1, over k: no set-up; 'evaluating' adds the loss after every epoch",
        "loops": f"timed over at most {options.steps} steps, scaled to an epoch; rows shuffled before the clock starts",
    }
    table = harness.Table("Mini-batch epochs", harness.describe(["torch", "sklearn"]) | facts, COLUMNS)
    X, y = draw(options.rows, options.columns)
    for rule in OPTIMIZERS:
        for batch in BATCHES:
            if harness.selected(options, f"{rule}/{batch}"):
                table.add({"rule": rule, "batch": batch, **measure(X, y, batch, rule, peers, options)})
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "RULE/BATCH")
    parser.add_argument("--rows", type=int, help="rows of X (default 1000000; 5000 with --quick)")
    parser.add_argument("--columns", type=int, help="columns of X (default 100; 9 with --quick)")
    parser.add_argument("--steps", type=int, help="steps the loops are timed over (default 20000; 50 with --quick)")
    options = parser.parse_args(arguments)
    for name, full, quick in (("rows", 1_000_000, 5000), ("columns", 100, 9), ("steps", 20_000, 50)):
        setattr(options, name, getattr(options, name) or (quick if options.quick else full))
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())
