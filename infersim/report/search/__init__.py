"""A latency table and a searched plan in words, tables and figures."""
