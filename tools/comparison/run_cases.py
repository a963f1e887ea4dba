"""Cases of the optimizers and of `minimize`: rules, batches, schedules, constraints, penalties, and QuasiNewton."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import steepest as st

from .data import OF_FLOATS, STORAGES, Array, Sample, bell
from .objective_cases import LOSSES, objective_for, options_for
from .tables import Case

RULES: dict[str, Callable[..., Any]] = {
    "GradientDescent": partial(st.GradientDescent, 0.05),
    "Momentum": partial(st.Momentum, 0.02),
    "Momentum average": partial(st.Momentum, 0.05, momentum=0.7, velocity="average"),
    "Momentum step": partial(st.Momentum, 0.02, velocity="step"),
    "Momentum nesterov": partial(st.Momentum, 0.02, momentum=0.8, nesterov=True),
    "AdaGrad": st.AdaGrad,
    "AdaGrad fast": partial(st.AdaGrad, 0.1, epsilon=0.01),
    "RMSProp": st.RMSProp,
    "RMSProp fast": partial(st.RMSProp, 0.02, rho=0.95, epsilon=0.01),
    "Adam": st.Adam,
    "Adam fast": partial(st.Adam, 0.02, beta1=0.8, beta2=0.99, epsilon=0.01),
    "Adam uncorrected": partial(st.Adam, 0.02, bias_correction=False),
    "Adam decay": partial(st.Adam, 0.02, weight_decay=0.125),
}
LINEAR = ("GradientDescent", "Momentum", "Momentum average", "Momentum step", "Momentum nesterov")
BATCHES = {"batch": None, "mini-batch": 32, "stochastic": 1}
SCHEDULES: dict[str, Callable[[], Any]] = {
    "StepDecay": lambda: st.schedules.StepDecay(0.05, 0.5, 7),
    "ExponentialDecay": lambda: st.schedules.ExponentialDecay(0.05, 0.9, 5),
    "InverseTimeDecay": lambda: st.schedules.InverseTimeDecay(0.05, 1.0, 4),
    "CosineDecay": lambda: st.schedules.CosineDecay(0.05, 20, 0.001),
    "LinearWarmup": lambda: st.schedules.LinearWarmup(st.schedules.StepDecay(0.05, 0.5, 7), 5, 0.001),
    "callable": lambda: lambda step: 0.05 / (1 + step % 3),
}
RUN_SAMPLE = Sample(300, 11)


def step_cases(quick: bool) -> Iterator[Case]:
    """Yield steps of every rule: parameters and states after three of them, and in two dimensions."""
    for name, make in RULES.items():
        for dtype in ("float32", "float64"):
            for shape in [(7,)] if quick else [(1,), (7,), (64,), (1001,), (30, 41), (70_001,)]:
                label = f"step/{name}/{dtype}/{'x'.join(map(str, shape))}"
                yield label, partial(_steps, make, dtype, shape)


def _steps(make: Callable[..., Any], dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    optimizer, w = make(), bell(11, *shape).astype(dtype)
    for seed in range(3):
        optimizer.step(w, bell(12 + seed, *shape).astype(dtype) / 8)
    return {"w": w, "state": optimizer.state_dict()["state"]}


def minimize(
    loss: str,
    optimizer: Callable[[], Any] | None = None,
    *,
    sample: Sample = RUN_SAMPLE,
    storage: str = "float32",
    order: str = "C",
    option: str = "plain",
    objective_options: dict[str, Any] | None = None,
    start: bool = True,
    **options: Any,
) -> Any:
    """Run `minimize` on a sample, with what the cases have in common."""
    more = options_for(sample, storage)[option] | (objective_options or {})
    objective = objective_for(loss, sample, storage, order, option.startswith("far"), **more)
    w0 = sample.parameters(objective.n_parameters).astype(objective.dtype) if start else None
    made = None if optimizer is None else optimizer()
    options = {"max_epochs": 3, "random_state": 5, "record_path": sample.n <= RUN_SAMPLE.n} | options
    return st.minimize(objective, w0, made, diagnose=False, **options)


def descent_cases(quick: bool) -> Iterator[Case]:
    """Yield runs of every rule, loss, dtype and size of a batch; storages and options with a few rules."""
    for batch, rows in BATCHES.items():
        for loss in ("least_squares", "logistic", "softmax"):
            for name, make in RULES.items():
                for storage in OF_FLOATS:
                    run = partial(minimize, loss, make, storage=storage, batch_size=rows)
                    yield f"minimize/{batch}/{loss}/{name}/{storage}", run
            for name in ("GradientDescent", "Adam fast"):
                for storage in STORAGES:
                    for option in options_for(RUN_SAMPLE, storage):
                        for order in "CF":
                            label = f"minimize/{batch}/{loss}/{name}/{storage}/{order}/{option}"
                            form: dict[str, Any] = {"storage": storage, "order": order, "option": option}
                            yield label, partial(minimize, loss, RULES[name], batch_size=rows, **form)
                if quick:
                    return


def option_cases(quick: bool) -> Iterator[Case]:
    """Yield runs with L1, schedules, constraints, and the other arguments of `minimize`."""
    for batch, rows in BATCHES.items():
        for loss in ("least_squares", "logistic", "softmax"):
            prefix = f"minimize/{batch}/{loss}"
            run = partial(minimize, loss, batch_size=rows)
            l1 = {"alpha": 0.25, "l1_ratio": 1.0}
            for name, make in RULES.items():
                yield f"{prefix}/L1/{name}", partial(run, make, objective_options=l1)
            for name, schedule in SCHEDULES.items():
                yield f"{prefix}/schedule/{name}", partial(run, partial(_scheduled, schedule))
            for name, constraint in constraints().items():
                for rule_name in ("Momentum", "Adam") if name == "box" else ("GradientDescent",):
                    rule = RULES[rule_name]
                    for form in (l1, {}) if name == "box" else ({},):
                        label = f"{prefix}/{name}/{rule_name}{'/L1' if form else ''}"
                        yield label, partial(run, rule, constraint=constraint, start=False, objective_options=form)
            yield from ((f"{prefix}/{name}", call) for name, call in _other(run))
    if not quick:
        for loss in LOSSES:
            large = partial(minimize, loss, RULES["Adam fast"], sample=Sample(70_000, 11), batch_size=4096)
            yield f"minimize/70000x11/{loss}", partial(large, max_epochs=2)
            large = partial(minimize, loss, RULES["Momentum"], sample=Sample(40, 3000))
            yield f"minimize/40x3000/{loss}", partial(large, batch_size=8, record_path=False)


def _scheduled(schedule: Callable[[], Any]) -> Any:
    return st.Momentum(schedule())


def constraints() -> dict[str, Any]:
    """Return constraints for the sample's parameters."""
    bounds = np.abs(bell(13, RUN_SAMPLE.d)) / 8
    return {"box": st.Box(-0.125, 0.125), "box of arrays": st.Box(-bounds, np.inf), "simplex": st.Simplex(1.5)}


def _other(run: Callable[..., Any]) -> Iterator[Case]:
    sample = Sample(90, RUN_SAMPLE.d)
    adam = RULES["Adam fast"]
    X = sample.X.astype(np.float32)
    held_out = (X, sample.labels(2).astype(np.float32))
    patience = st.stop.NoImprovement(2)
    yield "in order", partial(run, adam, shuffle=False)
    yield "validation", partial(run, adam, validation=held_out, stop=patience, max_epochs=12)
    yield "evaluated rarely", partial(run, adam, evaluate_every=2, max_epochs=5)
    yield "stopped", partial(run, adam, stop=[st.stop.LossChange(0.05), st.stop.ParameterChange(1e-3)], max_epochs=40)
    yield "at zeros", partial(run, adam, start=False)
    yield "several starts", partial(run, adam, starts=3)
    for name, rule in (("GradientDescent", st.GradientDescent), ("Momentum", st.Momentum)):
        yield f"auto/{name}", partial(run, partial(rule, "auto"), max_epochs=6)
    yield "went on", partial(_went_on, run, adam)


def _went_on(run: Callable[..., Any], make: Callable[[], Any]) -> Any:
    optimizer = make()
    run(lambda: optimizer)
    return run(lambda: optimizer, reset=False)


def quasi_newton_cases(quick: bool) -> Iterator[Case]:
    """Yield runs of QuasiNewton on each loss, storage, order and option, on small, wide and larger data."""
    samples = [RUN_SAMPLE] if quick else [RUN_SAMPLE, Sample(40, 300), Sample(3000, 40), Sample(30_000, 12)]
    for sample in samples:
        for loss in ("least_squares", "logistic", "softmax") if sample.d != 11 else LOSSES:
            for storage in STORAGES:
                options = options_for(sample, storage)
                forms = {name: dict[str, Any]() for name in options} | {"L1": {"alpha": 0.01, "l1_ratio": 1.0}}
                for name, form in forms.items():
                    for order in "CF":
                        label = f"quasi-newton/{loss}/{storage}/{order}/{sample.n}x{sample.d}/{name}"
                        where: dict[str, Any] = {"sample": sample, "storage": storage, "order": order}
                        where |= {"option": "plain" if form else name, "objective_options": form}
                        run = partial(minimize, loss, st.QuasiNewton, max_epochs=15, record_path=False, **where)
                        yield label, run


def function_cases(quick: bool) -> Iterator[Case]:
    """Yield runs on a function of Python, and the order of the rows of stochastic descent."""
    for name, make in RULES.items():
        yield f"function/{name}", partial(_run_function, make, np.array([-0.5, 0.75]), record_path=True)
    rule = partial(st.GradientDescent, 0.02)
    for constraint in (st.Box(-1.0, 0.5), st.Simplex(1.0)):
        yield f"function/{type(constraint).__name__}", partial(_run_function, rule, None, constraint=constraint)
    for n in (2, 7, 64) if quick else (2, 7, 64, 1000, 20_011):
        for seed in (0, 12345):
            yield f"row order/{n}/seed {seed}", partial(row_order, n, seed)


def _valley(w: Array) -> tuple[float, Array]:
    """Return value and gradient of (1 - x)^2 + 4 (y - x^2)^2."""
    x, y = w
    u = y - x * x
    return float((1 - x) ** 2 + 4 * u**2), np.array([2 * (x - 1) - 16 * x * u, 8 * u])


def _run_function(make: Callable[[], Any], w0: Any, **options: Any) -> Any:
    return st.minimize(st.Function(_valley, 2), w0, make(), max_epochs=20, diagnose=False, **options)


def row_order(n: int, seed: int) -> Array:
    """Return the rows in the order of two epochs of stochastic descent, each step of which sets w to the row's y."""
    objective = st.LeastSquares(np.ones((n, 1)), np.arange(n, dtype=np.float64), intercept=False)
    options: dict[str, Any] = {"batch_size": 1, "max_epochs": 2, "random_state": seed, "record_path": True}
    run = st.minimize(objective, np.zeros(1), st.GradientDescent(0.5), diagnose=False, **options)
    assert run.path is not None
    return np.asarray(run.path[1:, 0])
