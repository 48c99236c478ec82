"""Pictures: curves and grids, animations and their player, diagrams, drawings of networks.

Its modules are imported by name: `from dcgan_utils.drawing import plots, animations`.
"""

from .alt_texts import add_to_figures

add_to_figures()
