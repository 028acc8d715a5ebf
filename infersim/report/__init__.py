"""What people see: frames (the one source of numbers), figures and one self-contained page."""
