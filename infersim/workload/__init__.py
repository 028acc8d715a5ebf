"""Models and what they run: a Transformer, its ops for a scenario and execution, its memory, requests."""
