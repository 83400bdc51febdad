"""Lineal beside its peers, on one machine, in one invocation."""
