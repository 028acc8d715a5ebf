"""Learning from the fits of several GPUs what to expect of the others."""
