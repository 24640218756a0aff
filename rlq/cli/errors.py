"""Our own errors become one line on the screen; every other one keeps its traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from rlq.errors import RlqError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn RlqError into a message and exit status 1, or 128 + signal for a run that was asked to stop.

    Ctrl-C outside of training, where nothing has to be saved first, is status 130 too.
    """
    try:
        yield
    except RlqError as error:
        status = getattr(error, "signal_number", None)
        if status is None:
            raise click.ClickException(str(error)) from error
        click.echo(str(error), err=True)
        raise SystemExit(128 + status) from error
    except KeyboardInterrupt as error:
        click.echo("stopped by Ctrl-C", err=True)
        raise SystemExit(130) from error
