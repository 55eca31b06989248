"""`python -m outgrow`, and the entry point of the command `outgrow`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line: exit code 0 when done, 1 when the run failed, 2 when the input is at fault."""
    from outgrow.cli.app import app
    from outgrow.core.errors import OutgrowError

    try:
        app()
    except OutgrowError as error:
        from rich.console import Console

        if not error.echo:
            console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
            console.print(f"error: {error}", style="red", markup=False)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
