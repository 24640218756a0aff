"""Errors of rlq are printed in one line; all others keep their traceback."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

from rlq.core.errors import RlqError

# Errors of the machine, such as a full disk or a folder without permission to write.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print RlqError as a message with exit status 1, or 128 + signal for a run that was stopped.

    A full disk and a missing permission to write are also printed as messages. Ctrl-C outside of training, where
    nothing has to be saved, gives status 130.
    """
    try:
        yield
    except RlqError as error:
        status = getattr(error, "signal_number", None)
        if status is None:
            raise click.ClickException(str(error)) from error
        click.echo(str(error), err=True)
        raise SystemExit(128 + status) from error
    except OSError as error:
        if error.errno not in MACHINE_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror}; files that were written before are kept") from error
    except KeyboardInterrupt as error:
        click.echo("stopped by Ctrl-C", err=True)
        raise SystemExit(130) from error
