"""The one schema of `--json`, REST and the client."""
