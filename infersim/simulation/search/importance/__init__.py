"""What each choice of each layer loses."""
