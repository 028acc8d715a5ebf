"""The words of infersim as frozen records: data types, hardware profiles, kernel shapes, ops and costs.

Nothing here reads a file, and nothing is imported but numpy and the standard library.
"""
