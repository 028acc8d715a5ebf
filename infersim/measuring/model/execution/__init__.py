"""Executing a pruned model as its plan says: matrices, attention, feed-forward and routing."""
