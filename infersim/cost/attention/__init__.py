"""The cost of attention: prefill, decode, and generated block-sparse kernels."""
