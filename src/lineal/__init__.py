"""Proof of descent for every model in production."""

__version__ = "0.1.0"
