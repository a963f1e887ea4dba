"""The sentence about mini-batch steps over a sparse X that cost all parameters, not the entries of their rows."""

from __future__ import annotations

from .. import _core
from ..objectives.protocol import Capability, penalty_of, supports
from ..optimizers.base import Optimizer
from .symptoms import Symptoms

__all__ = ["cost_of_steps"]


def cost_of_steps(s: Symptoms) -> str:
    """Return the sentence; empty if the run's steps cost what they must."""
    if not (s.batch_size and isinstance(s.optimizer, Optimizer) and supports(s.objective, Capability.ROW_ENTRIES)):
        return ""
    data, penalty = s.objective.data, penalty_of(s.objective)
    entries = max(round(s.batch_size * data.n_elements / data.n_samples), 1)
    if entries > data.n_features // _core.share_of_columns:
        return ""
    rule, name = s.optimizer.rule, type(s.optimizer).__name__
    cost = f"each step cost all {s.w.size:,} parameters, though a batch of sparse rows has about {entries:,} entries"
    if s.projected:
        return f"{cost}, as a constraint projects after each step"
    if s.objective.penalty_weight is not None:
        return f"{cost}, as penalty_weight gives columns penalties of their own"
    if rule.has_sparse_steps(penalty.l1, penalty.l2):
        return ""
    if not rule.has_sparse_steps(0.0, 0.0):
        return f"{cost}: {name} moves every parameter in every step; LazyAdam, AdaGrad and GradientDescent do not"
    kinds = " and ".join(kind for kind, strength in (("L1", penalty.l1), ("L2", penalty.l2)) if strength > 0)
    return f"{cost}: {name} has no cheaper step with an {kinds} penalty; GradientDescent has, with any penalty"
