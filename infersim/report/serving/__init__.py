"""What is said of services: verdicts, tables, the curve of throughput against TPOT, the page."""
