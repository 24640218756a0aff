"""rlq compare: plain CAL, base model and RLQ side by side."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.command(short_help="Train plain CAL, the base model and RLQ alike.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a setting of all three.")
def compare(file: Path, changes: tuple[str, ...]) -> None:
    """Train plain CAL, the base model and RLQ with the settings of the experiment FILE, and print one table.

    The budget is the same number of epochs over the target set; the seconds stand beside the numbers.
    """
    with one_line_errors():
        from rlq import comparison

        click.echo(comparison.compare(file, changes))
