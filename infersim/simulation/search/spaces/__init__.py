"""The space of a search: choices, slots, limits, and the file of a plan."""
