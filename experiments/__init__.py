"""Experiments: each a command that trains and judges; results/ holds what they found."""
