"""Entry point of the command `lineal`."""

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    if sys.argv[1:] == ["--version"]:  # the one question that must not wait for any import
        from lineal import __version__

        try:  # noqa: SIM105  # contextlib alone would double the start
            print(f"lineal {__version__}", flush=True)
        except BrokenPipeError:
            pass
        return
    try:
        from lineal.cli.main import run
    except KeyboardInterrupt:  # before there was anything to stop
        sys.exit(130)
    sys.exit(run())


if __name__ == "__main__":
    main()
