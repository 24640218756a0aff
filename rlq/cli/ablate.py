"""rlq ablate: run the rows of a table that are not finished."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE, FOLDER, whole_numbers


@click.command(short_help="Run the variants of a table.")
@click.argument("table", type=FILE)
@click.option("--base", type=FILE, help="Vary this experiment, not those that the table names.")
@click.option("--seeds", callback=whole_numbers, metavar="1,2,3", help="Run these seeds, not those of the table.")
@click.option("--only", multiple=True, metavar="ROW", help="Run only this row; may be given several times.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a setting of every row.")
@click.option(
    "--results",
    type=FOLDER,
    default=Path("docs/results/raw"),
    show_default=True,
    help="Folder of finished rows, one JSON file each.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be run, and stop.")
def ablate(
    table: Path,
    base: Path | None,
    seeds: tuple[int, ...],
    only: tuple[str, ...],
    changes: tuple[str, ...],
    results: Path,
    dry_run: bool,
) -> None:
    """Run the unfinished rows of TABLE (experiments/tables/...), each row and seed as a child of one tracked run.

    Rows are recognised by the fingerprint of their settings. So a stopped table continues where it was, several
    processes may share one, and finished rows of other tables with the same settings are reused.
    """
    with one_line_errors():
        from rlq.ablation.run import ablate as run_table

        text = run_table(table, base=base, seeds=seeds, only=only, changes=changes, results=results, dry_run=dry_run)
        click.echo(text if dry_run else f"\n{text}")
