"""Hugging Face configs as transformers: `reading` reads one, `entries` states each model type.

An entry is data: keys and their spellings, the values that the model's own configuration class takes for what
a file leaves out, and what the model's code makes of them. `building` reads all of them alike.
"""
