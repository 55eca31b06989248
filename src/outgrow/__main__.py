"""`python -m outgrow`, and the entry point of the command `outgrow`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line: exit code 0 when done, 1 when the run failed, 2 when the input is at fault."""
    from outgrow.cli.app import app
    from outgrow.core.errors import OutgrowError
    from outgrow.core.files import REFUSALS
    from outgrow.core.terminal import line, plain_warnings

    plain_warnings()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OutgrowError as error:
        if not error.echo:
            line(f"error: {error}", error=True, style="red")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        if error.filename is None:  # of the output itself, which Python would try again at its end
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        line(f"error: {error.filename or 'the output'}: {error.strerror}", error=True, style="red")
        sys.exit(1)


if __name__ == "__main__":
    main()
