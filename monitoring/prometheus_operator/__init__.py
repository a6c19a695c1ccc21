"""Objects for clusters that run the Prometheus operator."""
