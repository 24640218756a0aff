"""rlq track: send runs to their tracking server later."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.group()
def track() -> None:
    """Send runs to a tracking server later."""


@track.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--uri", help="Send to this tracking server instead of the run's.")
def sync(folder: Path, uri: str | None) -> None:
    """Send what the run in FOLDER could not send while its server was unreachable. Safe to repeat."""
    with one_line_errors():
        from rlq.tracking import sync as send

        click.echo(f"sent {send(folder, uri)}")
