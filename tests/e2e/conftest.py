"""Fixtures of the suites that work on real servers."""

from servers.buckets import proxy, store

__all__ = ["proxy", "store"]
