"""What is counted and logged: the log, the slow log, latencies, counters."""
