"""How long each kind of kernel takes on a GPU; one file for each kind, all vectorised over shapes."""
