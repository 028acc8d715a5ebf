"""Running a measurement plan of kernels: rows, workers, supervision and the log."""
