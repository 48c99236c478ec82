"""The package of the DCGAN course: what more than one notebook uses. README.md has its map."""
