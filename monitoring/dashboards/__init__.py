"""Grafana dashboards as code; the generated JSON is committed beside it."""
