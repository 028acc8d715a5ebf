"""How each kind of kernel is fitted: parameters, residuals, intervals."""
