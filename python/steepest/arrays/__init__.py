"""Arrays of any library become NumPy arrays or views of a device's memory here, and are checked here.

This folder may use nothing but the native modules.
"""
