"""Timelines: the ops of passes, timed on one GPU, with their uncertainty."""
