"""What configs say layer by layer: windows, rotary positions, sizes, which layers have experts."""
