"""Data in parts: what each part says of itself, what is asked of all parts, and the order in which answers are added.

This folder may use `arrays`.
"""

from __future__ import annotations
