"""Inference after a fit: standard errors, tests and intervals of coefficients, and the likelihood of a model.

This folder may use `estimators` and all folders that `estimators` may use.
"""
