"""Wrong answers to the exercises, a module for each notebook.

Each holds `WRONG`, rows of (number, answer, regular expression that the hint must match), and
`SECRETS`, words that no hint may contain. An answer is a function, or an edit of the solution that
the notebook publishes: (old text, new text), of which every occurrence is replaced.
"""
