"""Routed expert layers: where tokens go, two grouped GEMMs, and what moves rows to experts and back."""
