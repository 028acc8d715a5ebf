"""Reports of advice: break-even, targets and widths."""
