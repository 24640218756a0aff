"""Print our own errors as one line; other errors keep their traceback."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

from rlq.core.errors import RlqError

# Errors of the machine and not of the program: a full disk, a folder without permission to write.
SURROUNDINGS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn RlqError into a message and exit status 1, or 128 + signal for a run that was stopped.

    A full disk and a folder without permission to write give a message too. Ctrl-C outside training, where nothing has
    to be saved first, gives status 130.
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
        if error.errno not in SURROUNDINGS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror}; nothing that was written before is lost") from error
    except KeyboardInterrupt as error:
        click.echo("stopped by Ctrl-C", err=True)
        raise SystemExit(130) from error
