"""The command line: its commands, the reading and encoding of tables, and model files.

This folder may use the package as a user does. Only `__main__` imports it, and the package itself for `load_model` and
`save_model`.
"""
