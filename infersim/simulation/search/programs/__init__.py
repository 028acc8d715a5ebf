"""The mixed-integer program of a search, and its solver."""
