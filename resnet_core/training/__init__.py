"""Training: the probe that decides how, the engine that does it, and its checkpoints."""
