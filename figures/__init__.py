"""Pictures only; each is made by a command."""
