"""Reports that set published figures beside predictions."""
