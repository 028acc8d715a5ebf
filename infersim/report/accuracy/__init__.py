"""Reports of calibration and validation: errors, residuals and coverage."""
