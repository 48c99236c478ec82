"""One checker for each exercise of the course, a module for each notebook.

A checker runs the reader's function on cases that catch the usual mistakes, and prints what it
expected, what it got and where to look. It never prints the solution.
"""

from .training import check_discriminator_loss, check_generator_step, check_to_gray_levels

__all__ = ["check_discriminator_loss", "check_generator_step", "check_to_gray_levels"]
