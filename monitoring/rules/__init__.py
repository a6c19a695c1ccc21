"""Recording and alert rules as Prometheus reads them, and what changes their durations."""
