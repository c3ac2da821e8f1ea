"""Batch normalisation with the addition and the ReLU behind it in one step, for training on a CPU; compiled on the machine that trains."""
