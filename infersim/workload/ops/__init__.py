"""The ops of one forward pass: linears, attention, feed-forward and elementwise kernels."""
