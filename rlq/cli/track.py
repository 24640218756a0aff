"""rlq track: send run folders to a tracking server."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.group(short_help="Send runs to a tracking server later.")
def track() -> None:
    """Send runs to a tracking server later."""


@track.command(short_help="Send what the tracking server of a run lacks.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--uri", help="A tracking server other than the run's own.")
def sync(folder: Path, uri: str | None) -> None:
    """Send everything of the run in FOLDER that its tracking server has not received. Safe to repeat."""
    with one_line_errors():
        from rlq.tracking import sync as send

        click.echo(f"sent {send(folder, uri)}")
