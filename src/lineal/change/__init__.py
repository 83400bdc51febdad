"""Difference of configuration items and the explanation of each change."""
