"""Records that ship with the project."""
