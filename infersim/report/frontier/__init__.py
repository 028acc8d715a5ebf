"""Reports of the frontier between quality and speed."""
