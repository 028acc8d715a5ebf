"""What a datasheet tells from the fits of other GPUs."""
