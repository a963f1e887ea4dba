"""`minimize`: the run of any optimizer, its record, the rules that stop it and the diagnosis of its ills.

This folder may use `quasi_newton`, `optimizers` and what these use.
"""
