"""The exporter: what the store holds, as Prometheus metrics; docs/exporter.md."""
