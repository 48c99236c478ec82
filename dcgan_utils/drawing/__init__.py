"""Pictures: curves and grids, animations and their player, diagrams, drawings of networks.

Its modules are imported by name: `from dcgan_utils.drawing import plots, animations`.
"""

from .stored import add_to_figures

add_to_figures()
