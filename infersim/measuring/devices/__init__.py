"""Devices that are measured: the CPU and CUDA GPUs, their clocks and telemetry."""
