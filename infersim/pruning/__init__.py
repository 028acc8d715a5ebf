"""The taxonomy: one file for each pruning family, each a pure function Transformer -> Transformer."""
