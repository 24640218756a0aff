"""rlq data: list, check and make data sets."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.group()
def data() -> None:
    """List, check and make data sets."""


@data.command(name="list")
def list_sets() -> None:
    """Show the data sets that rlq reads, and what their folders hold."""
    from rlq.data.catalogue import CATALOGUE

    for name, known in CATALOGUE.items():
        click.echo(f"{name:<18}{known.title}: {' or '.join(known.folders)} below data.root, with {known.layout}")


@data.command()
@click.argument("dataset")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option(
    "--colours/--no-colours",
    default=None,
    help="Rank the test by colour histograms, which a fair clothes-changing problem defeats. By default up to 50,000 "
    "test pictures.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(dataset: str, root: str, colours: bool | None, as_json: bool) -> None:
    """Count, compare with the published numbers, open every picture, and look for duplicates across splits.

    Exit status 1 when a picture cannot be read.
    """
    with one_line_errors():
        from rlq import checks
        from rlq.console import Console

        report = checks.check(dataset, Path(root), colours=colours, console=Console())
        click.echo(report.to_json() if as_json else report.to_text())
        if report.unreadable:
            raise SystemExit(1)


@data.command(name="make-synthetic")
@click.option("--root", default="data", show_default=True, help="Made below ROOT/synthetic.")
@click.option("--people", type=click.IntRange(4, 900), default=None, help="Training people of each set.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def make_synthetic(root: str, people: int | None, seed: int) -> None:
    """Draw the built-in pedestrians: a target set in PRCC's layout and an external one in Celeb-reID's.

    Takes the place of built-in sets that are there already, and of nothing else.
    """
    with one_line_errors():
        from rlq.synthetic.embedded import make_all

        for folder, spec in make_all(Path(root), people=people, seed=seed):
            click.echo(
                f"{folder}: {spec.train_people} people to train on, {spec.test_people} to test, seed {spec.seed}"
            )
