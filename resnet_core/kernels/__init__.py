"""For training on a CPU, in C++ that is compiled where it runs: BN with the addition and the ReLU behind it; with AMX convolutions too."""
