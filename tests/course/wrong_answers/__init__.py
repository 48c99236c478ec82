"""Wrong answers to the exercises, a module for each notebook.

Each holds `WRONG`, rows of (checker, answer, regular expression that the hint must match), and
`SECRETS`, words that no hint may contain.
"""
