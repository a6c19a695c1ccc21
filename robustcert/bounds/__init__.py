"""Deterministic bounds of a network's outputs over a threat region, and complete verification on top of them."""
