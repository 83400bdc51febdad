"""Entry point of the command `lineal`."""


def main() -> None:
    """Run the command line."""
