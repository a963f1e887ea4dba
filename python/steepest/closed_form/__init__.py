"""The closed form of least squares: Cholesky, QR or SVD of the rows.

This folder may use `objectives` and `arrays`.
"""
