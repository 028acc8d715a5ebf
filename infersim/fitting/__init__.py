"""Samples in, fit out: reading and importing measurements, calibration, validation."""
