"""Commands of choices layer by layer: `infersim table` and `infersim search`."""
