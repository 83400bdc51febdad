"""The append-only, tamper-evident log of events."""
