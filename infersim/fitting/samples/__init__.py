"""Samples: measured latencies, read, checked, identified and split."""
