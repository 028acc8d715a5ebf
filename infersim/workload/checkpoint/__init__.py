"""Checkpoints read by the headers of their weight files: no weight is loaded, and no pickle is opened.

`files` finds and opens what belongs to a folder, `header` reads one file's header, `names` says what tensors
of each model type are, `storage` what one matrix is stored as, `layers` what a layer is, and `reading` puts
the model together with what its config says.
"""
