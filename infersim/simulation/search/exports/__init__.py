"""Latency tables in the formats that searches of other programs read; one file for each."""
