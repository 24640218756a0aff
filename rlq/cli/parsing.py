"""rlq parsing: import the masks of a human parser into a data set, and check them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlq.cli.errors import one_line_errors

if TYPE_CHECKING:
    from rlq.labels.parsing import LabelSet


@click.group(short_help="Import and check masks for recolouring clothes.")
def parsing() -> None:
    """Import and check parsing masks. Training uses them to recolour clothes."""


@parsing.command(name="import", short_help="Import the masks of SCHP or another parser.")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", "dataset", required=True, metavar="DATASET", help="The data set, such as prcc.")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option(
    "--labels",
    type=click.Choice(["lip", "atr", "pascal"]),
    default="lip",
    show_default=True,
    help="What the parser was trained on; pascal has no clothes, so torso and legs are used instead.",
)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "query", "gallery"]),
    default="all",
    show_default=True,
    help="The split of the masks' pictures, needed if names repeat between splits.",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="By default <set>/rlq/masks.")
def import_(source: Path, dataset: str, root: str, labels: "LabelSet", split: str, output: Path | None) -> None:
    """Convert the masks in the folder SOURCE, as SCHP writes them, to the masks that training reads.

    Masks are PNGs or .npy arrays of labels, named by their pictures' paths below the set, or by an end of the path; in
    a flat folder, by the picture's name.
    """
    with one_line_errors():
        from rlq.labels.parsing_import import import_masks

        imported = import_masks(source, dataset, Path(root), labels=labels, output=output, split=split)
        click.echo(imported.to_text())


@parsing.command(short_help="Check every training picture's mask.")
@click.option("--data", "dataset", required=True, metavar="DATASET", help="The data set, such as prcc.")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option("--masks", type=click.Path(file_okay=False, path_type=Path), help="By default <set>/rlq/masks.")
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw pictures, masks and recoloured copies into this PNG.",
)
@click.option("--palette", type=click.Choice(["9", "6"]), default="9", show_default=True, help="Colours of the sheet.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Selects the pictures of the sheet.")
def check(dataset: str, root: str, masks: Path | None, sheet: Path | None, palette: str, seed: int) -> None:
    """Read the mask of every training picture and count its labels.

    The exit status is 1 if training would stop.
    """
    with one_line_errors():
        from rlq.labels.parsing_check import check_masks

        report = check_masks(dataset, Path(root), masks=masks, palette=int(palette), sheet=sheet, seed=seed)
        click.echo(report.to_text())
        if sheet is not None and report.good:
            click.echo(f"sheet: {sheet}")
        if report.stops_training:
            raise SystemExit(1)
