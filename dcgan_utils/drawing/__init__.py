"""Pictures: curves and grids, animations and their player, diagrams, drawings of networks.

Its modules are imported by name: `from dcgan_utils.drawing import plots, animations`.
"""
