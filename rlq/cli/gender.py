"""rlq gender: label people male or female, and count the labels."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlq.cli.errors import one_line_errors

if TYPE_CHECKING:
    from rlq.labels.gender_annotate import Part


@click.group(short_help="Label people male or female, by hand.")
def gender() -> None:
    """Label the people of a data set male or female, by hand."""


@gender.command(short_help="Label people on a local page, with keys.")
@click.option("--data", "dataset", required=True, metavar="DATASET", help="The data set, such as prcc.")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="By default <set>/rlq/gender.csv.")
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="The split whose people are labelled.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port of the page; 0 takes any free one.",
)
@click.option(
    "--pictures",
    type=click.IntRange(1, 40),
    default=8,
    show_default=True,
    help="Largest number of pictures per person.",
)
def annotate(dataset: str, root: str, output: Path | None, split: "Part", port: int, pictures: int) -> None:
    """Label one person after the other on a local page, with the keys m, f and u; every answer is saved at once.

    The next run continues where this one was ended. Ctrl-C ends it.
    """
    with one_line_errors():
        from rlq.labels.gender_annotate import annotate as annotate_people

        counts = annotate_people(dataset, Path(root), output=output, port=port, pictures=pictures, part=split)
        answered = len(counts.answers) - len(counts.missing)
        click.echo(
            f"{answered} of {len(counts.answers)} people are answered: {counts.count('m')} male, {counts.count('f')} "
            f"female, {counts.count('u')} in doubt"
        )


@gender.command(short_help="Count labelled people and missing labels.")
@click.option("--data", "dataset", required=True, metavar="DATASET", help="The data set, such as prcc.")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="By default <set>/rlq/gender.csv.")
def check(dataset: str, root: str, file: Path | None) -> None:
    """Count people who are labelled male, female or in doubt, and those without a label.

    The exit status is 1 if training would stop.
    """
    with one_line_errors():
        from rlq.labels.gender_check import check_genders

        report = check_genders(dataset, Path(root), file=file)
        click.echo(report.to_text())
        if report.stops_training:
            raise SystemExit(1)
