"""From op costs to answers: timelines, the speedup chain, requests and sweeps."""
