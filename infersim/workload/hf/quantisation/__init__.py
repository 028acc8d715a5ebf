"""`quantization_config` of checkpoints: one entry for each `quant_method`; what is unknown is refused."""
