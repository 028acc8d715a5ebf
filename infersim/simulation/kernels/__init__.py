"""Single kernels and exchanges: arrays of dimensions in, arrays of latencies out."""
