"""Analysis of an objective at a point: its Hessian, the spectrum, and whether its classes are separable.

This folder may use `objectives` and `arrays`.
"""
