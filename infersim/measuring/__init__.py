"""Times kernels and pruned models on the machine at hand: the only package that imports torch or NVML."""
