"""Importers of published measurements, one file a source; `importing` runs them by name."""
