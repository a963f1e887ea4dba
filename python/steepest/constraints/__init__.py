"""Constraints on parameters: the sets that a user writes, and the projections onto them.

This folder may use `arrays`.
"""

from __future__ import annotations

from .sets import Box, Constraint, Simplex

__all__ = ["Box", "Constraint", "Simplex"]
