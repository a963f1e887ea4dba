"""The contenders of bench_update.py, and the check of their steps: ours, the NumPy recurrence and torch.optim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from steepest.optimizers import rules

Array = NDArray[Any]
State = dict[str, Array]
TOLERANCES = {"float32": 1e-4, "float64": 1e-11}  # relative to how far the parameters moved
STEPS_CHECKED = 3
BLOCK = 1 << 20  # parameters the reference takes at a time
RATE, MU, RHO, BETA1, BETA2, DECAY = 1e-2, 0.9, 0.9, 0.9, 0.999, 0.01


def numpy_gradient_descent(w: Array, g: Array, s: State, t: int) -> None:
    """Step as a careful NumPy user writes it: state updated in place, temporaries for the rest (so below)."""
    w -= RATE * g


def numpy_momentum(w: Array, g: Array, s: State, t: int) -> None:
    """Velocity "sum"."""
    s["v"] *= MU
    s["v"] += g
    w -= RATE * s["v"]


def numpy_average(w: Array, g: Array, s: State, t: int) -> None:
    """Velocity "average"."""
    s["v"] *= MU
    s["v"] += (1 - MU) * g
    w -= RATE * s["v"]


def numpy_heavy_ball(w: Array, g: Array, s: State, t: int) -> None:
    """Velocity "step"."""
    s["v"] *= MU
    s["v"] -= RATE * g
    w += s["v"]


def numpy_nesterov(w: Array, g: Array, s: State, t: int) -> None:
    """Velocity "sum", Nesterov."""
    s["v"] *= MU
    s["v"] += g
    w -= RATE * (g + MU * s["v"])


def numpy_adagrad(w: Array, g: Array, s: State, t: int) -> None:
    """AdaGrad."""
    s["G"] += g * g
    w -= RATE * g / (np.sqrt(s["G"]) + 1e-10)


def numpy_rmsprop(w: Array, g: Array, s: State, t: int) -> None:
    """RMSProp."""
    s["G"] *= RHO
    s["G"] += (1 - RHO) * g * g
    w -= RATE * g / (np.sqrt(s["G"]) + 1e-8)


def numpy_adam(w: Array, g: Array, s: State, t: int) -> None:
    """Adam; the corrections are folded into two scalars."""
    s["m"] *= BETA1
    s["m"] += (1 - BETA1) * g
    s["v"] *= BETA2
    s["v"] += (1 - BETA2) * g * g
    w -= RATE / (1 - BETA1**t) * s["m"] / (np.sqrt(s["v"]) / (1 - BETA2**t) ** 0.5 + 1e-8)


def numpy_adam_uncorrected(w: Array, g: Array, s: State, t: int) -> None:
    """Adam without bias correction."""
    s["m"] *= BETA1
    s["m"] += (1 - BETA1) * g
    s["v"] *= BETA2
    s["v"] += (1 - BETA2) * g * g
    w -= RATE * s["m"] / (np.sqrt(s["v"]) + 1e-8)


def numpy_adamw(w: Array, g: Array, s: State, t: int) -> None:
    """Adam with decoupled weight decay."""
    w *= 1 - RATE * DECAY
    numpy_adam(w, g, s, t)


@dataclass
class Rule:
    """A rule: our optimizer, its reference, NumPy's recurrence and state, options, torch.optim's class and options."""

    optimizer: Callable[..., Any]
    reference: Callable[..., tuple[Array, State]]
    numpy: Callable[[Array, Array, State, int], None]
    state: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    torch: str = ""
    torch_options: dict[str, Any] = field(default_factory=dict)


_R = st.reference
_MU = {"momentum": MU}
_FUSED = {"fused": True}
_BETAS = {"betas": (BETA1, BETA2), "fused": True}
RULES = {
    "GradientDescent": Rule(st.GradientDescent, _R.gradient_descent, numpy_gradient_descent, "", {}, "SGD", _FUSED),
    "Momentum(sum)": Rule(st.Momentum, _R.momentum, numpy_momentum, "v", _MU, "SGD", _MU | _FUSED),
    "Momentum(average)": Rule(st.Momentum, _R.momentum, numpy_average, "v", {"velocity": "average"}),
    "Momentum(step)": Rule(st.Momentum, _R.momentum, numpy_heavy_ball, "v", {"velocity": "step"}),
    "Momentum(nesterov)": Rule(
        st.Momentum, _R.momentum, numpy_nesterov, "v", {"nesterov": True}, "SGD", _MU | {"nesterov": True, **_FUSED}
    ),
    "AdaGrad": Rule(st.AdaGrad, _R.adagrad, numpy_adagrad, "G", {}, "Adagrad", {"eps": 1e-10, "fused": True}),
    "RMSProp": Rule(
        st.RMSProp,
        _R.rmsprop,
        numpy_rmsprop,
        "G",
        {"rho": RHO, "epsilon": 1e-8},
        "RMSprop",
        {"alpha": RHO, "foreach": True},
    ),
    "Adam": Rule(st.Adam, _R.adam, numpy_adam, "mv", {"beta1": BETA1, "beta2": BETA2}, "Adam", _BETAS),
    "Adam(uncorrected)": Rule(st.Adam, _R.adam, numpy_adam_uncorrected, "mv", {"bias_correction": False}),
    "Adam(weight_decay)": Rule(
        st.Adam, _R.adam, numpy_adamw, "mv", {"weight_decay": DECAY}, "AdamW", _BETAS | {"weight_decay": DECAY}
    ),
}


def own_twin(reference: Callable[..., tuple[Array, State]]) -> Callable[[Array, Array, State, int], None]:
    """Return the reference in place, for a rule without a recurrence above."""

    def step(w: Array, g: Array, s: State, t: int) -> None:
        w[...], state = reference(w, g, dict(s), t, RATE)
        s.update(state)

    return step


for _name in rules.__all__:
    if not any(_rule.optimizer is getattr(st, _name) for _rule in RULES.values()):
        _reference = getattr(_R, getattr(st, _name)(RATE).rule_name)
        RULES[_name] = Rule(getattr(st, _name), _reference, own_twin(_reference))


class Ours:
    """Our optimizer on its own copy of w."""

    def __init__(self, rule: Rule, w: Array, g: Array) -> None:
        self.w, self.g, self.optimizer = w.copy(), g, rule.optimizer(RATE, **rule.options)

    def step(self) -> None:
        """Take one step."""
        self.optimizer.step(self.w, self.g)


class Numpy:
    """The NumPy recurrence on its own copy of w."""

    def __init__(self, rule: Rule, w: Array, g: Array) -> None:
        self.w, self.g, self.rule, self.t = w.copy(), g, rule, 0
        self.state = {name: np.zeros_like(w) for name in rule.state}

    def step(self) -> None:
        """Take one step."""
        self.t += 1
        self.rule.numpy(self.w, self.g, self.state, self.t)


class Torch:
    """torch.optim on its own copy of w; g is shared."""

    def __init__(self, torch: Any, rule: Rule, w: Array, g: Array) -> None:
        self.w = w.copy()
        parameter = torch.nn.Parameter(torch.from_numpy(self.w))
        parameter.grad = torch.from_numpy(g)
        self.step = getattr(torch.optim, rule.torch)([parameter], lr=RATE, **rule.torch_options).step


def check(label: str, rule: Rule, contenders: dict[str, Any], w: Array, g: Array) -> dict[str, float]:
    """Take STEPS_CHECKED steps with each contender and compare; return the errors relative to the distance moved."""
    for contender in contenders.values():
        for _ in range(STEPS_CHECKED):
            contender.step()
    squares: dict[str, float] = dict.fromkeys(["moved", *contenders], 0.0)
    for start in range(0, len(w), BLOCK):
        part = slice(start, start + BLOCK)
        right: Array = w[part].astype(np.float64)
        state: State = {}
        for t in range(1, STEPS_CHECKED + 1):
            right, state = rule.reference(right, g[part], state, t, RATE, **rule.options)
        squares["moved"] += float(np.sum((right - w[part]) ** 2))
        for name, contender in contenders.items():
            squares[name] += float(np.sum((contender.w[part] - right) ** 2))
    errors = {name: float(np.sqrt(squares[name] / squares["moved"])) for name in contenders}
    for name, error in errors.items():
        harness.check(f"{label}, {name}", error, 0.0, TOLERANCES[w.dtype.name])
    return errors
