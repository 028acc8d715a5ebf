"""Writes what pages compute and what commands print into README and docs: `make readme`."""
