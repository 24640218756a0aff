"""What the machine says no to is a message; a fault of ours keeps its traceback."""

import errno
import os

import click
import pytest
from naming import assert_names

from rlq.cli.errors import one_line_errors


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EFBIG, errno.EACCES])
def test_a_disk_that_takes_no_more_is_one_line_with_the_file(number):
    with pytest.raises(click.ClickException) as told, one_line_errors():
        raise OSError(number, os.strerror(number), "runs/last.pt")
    assert_names(told.value.message, "runs/last.pt", os.strerror(number))
    assert "\n" not in told.value.message


def test_other_errors_of_the_system_keep_their_traceback():
    with pytest.raises(FileNotFoundError), one_line_errors():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "a bug of ours")
