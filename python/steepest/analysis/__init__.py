"""What is known of an objective at a point: its Hessian, its spectrum, and whether its classes are separable.

This folder may use `objectives` and `arrays`.
"""
