"""Measured speedups: tables of them, read from files."""
