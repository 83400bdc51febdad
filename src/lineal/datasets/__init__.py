"""Snapshot, manifest, difference and restore of a directory or file."""
