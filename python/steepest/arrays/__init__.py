"""Arrays of any library, made into NumPy's or into views of a device's memory, and checked.

This folder may use the native modules only.
"""
