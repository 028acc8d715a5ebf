"""Advice: when a plan breaks even, which sparsity meets a target, which widths cost nothing."""
