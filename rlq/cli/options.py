"""Types of values that several commands take."""

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)  # need not exist yet


def whole_numbers(_ctx: click.Context, _param: click.Parameter, text: str | None) -> tuple[int, ...]:
    """Parse the value of an option such as --seeds 1,2,3; a callback for click."""
    try:
        return tuple(int(word) for word in text.split(",")) if text else ()
    except ValueError as error:
        raise click.BadParameter(f"{text} should be whole numbers separated by commas, such as 1,2,3") from error
