"""Reproducible, signed, expiring certificates of a model's adversarial robustness."""

__version__ = "0.1.0"
