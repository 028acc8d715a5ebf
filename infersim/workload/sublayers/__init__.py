"""Sublayers of a block as records: attention of two kinds, feed-forward, experts, and how they are pruned.

What belongs to the whole model stands in `workload.transformer`, which names most of these too.
"""
