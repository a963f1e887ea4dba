"""Paths of regularisation: the minima of a loss at many strengths of its penalty, from strong to weak.

This folder may use `objectives`, `optimizers`, `quasi_newton`, `descent` and what stands below them.
"""
