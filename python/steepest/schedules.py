"""Learning-rate schedules: the rate as a function of t, the number of steps taken so far (step t + 1 uses rate t).

A schedule is called with a float or an array of step counts and returns the same. Any callable that takes one count and
returns a rate of at least 0 serves as a schedule too.
"""

from .optimizers.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    LinearWarmup,
    Schedule,
    ScheduleLike,
    StepDecay,
    as_schedule,
    rates_at,
)

__all__ = [
    "Constant",
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearWarmup",
    "Schedule",
    "ScheduleLike",
    "StepDecay",
    "as_schedule",
    "rates_at",
]
