"""Kernels as calls to time, one file for each kind: what a planned row becomes in PyTorch."""
