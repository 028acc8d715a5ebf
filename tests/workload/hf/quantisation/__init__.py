"""Tests of what configs state of formats."""
