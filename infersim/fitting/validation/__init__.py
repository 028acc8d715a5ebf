"""Validation: predictions set against samples, their errors and the coverage of intervals."""
