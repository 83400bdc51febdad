"""The outside world as observations and gaps, one module each."""
