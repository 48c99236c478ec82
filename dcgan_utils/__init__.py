"""The parts of the DCGAN course that more than one notebook uses.

Imports follow the data, one way:
config -> data -> networks -> training -> (history, checkpoints) -> runs -> plots, animations.
"""
