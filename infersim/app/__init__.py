"""The page in the browser: choices in, answers of simulation and report out; no arithmetic of its own."""
