"""The cost of a GEMM: tiles, limits, 2:4, and what misaligned widths cost."""
