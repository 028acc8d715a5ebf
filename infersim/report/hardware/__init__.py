"""Reports of GPUs: datasheets, fits and pools."""
