"""rlq data: list, check and make data sets."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlq.cli.errors import one_line_errors

if TYPE_CHECKING:
    from rlq.data.readers.celeb_reid import CameraReading


@click.group(short_help="List, check and make data sets.")
def data() -> None:
    """List, check and make data sets."""


@data.command(name="list", short_help="Show the data sets that rlq reads.")
def list_sets() -> None:
    """Show the data sets that rlq reads, with the content of their folders."""
    from rlq.data.catalogue import CATALOGUE

    for name, entry in CATALOGUE.items():
        click.echo(f"{name:<18}{entry.title}: {' or '.join(entry.folders)} below data.root, with {entry.layout}")


@data.command(short_help="Count and open all pictures, and look for duplicates.")
@click.argument("dataset")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option(
    "--colours/--no-colours",
    default=None,
    help="Rank the test pictures by colour histograms. A high score under CC means that colours alone find people, so "
    "the test is too easy. By default, this is done for up to 50,000 test pictures.",
)
@click.option(
    "--celeb-camera",
    type=click.Choice(["first_digit", "y", "none"]),
    default="first_digit",
    show_default=True,
    help="Celeb-reID: the part of a file name that is used as the camera; matches of the same camera are junk.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(dataset: str, root: str, colours: bool | None, celeb_camera: "CameraReading", as_json: bool) -> None:
    """Count the pictures, open each of them, and look for duplicates across splits.

    The counts are compared with the published numbers, if there are any.
    The exit status is 1 if a picture cannot be read.
    """
    with one_line_errors():
        from rlq.core.console import Console
        from rlq.evaluation import dataset_report

        console = Console(aside=as_json)
        report = dataset_report.check(dataset, Path(root), colours=colours, celeb_camera=celeb_camera, console=console)
        click.echo(report.to_json() if as_json else report.to_text())
        if report.unreadable:
            raise SystemExit(1)


@data.command(name="make-synthetic", short_help="Draw pedestrians, in the layout of any set.")
@click.option("--root", default="data", show_default=True, help="Made below ROOT/synthetic, or ROOT with --layout.")
@click.option("--layout", help="One set in the layout of a real one instead, such as ltcc; --layout list names all.")
@click.option("--people", type=click.IntRange(4, 900), default=None, help="Training people of each set.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--oddity", "oddities", multiple=True, help="A peculiarity of real files of this layout; --oddity list shows all."
)
def make_synthetic(root: str, layout: str | None, people: int | None, seed: int, oddities: tuple[str, ...]) -> None:
    """Draw the built-in pedestrians: a target set in PRCC's layout and an external one in Celeb-reID's.

    Existing synthetic sets are replaced; other folders are never overwritten.
    """
    if oddities and layout is None:
        raise click.UsageError("--oddity goes with --layout")
    with one_line_errors():
        from rlq.synthetic.built_in import make_all, make_layout
        from rlq.synthetic.layouts.catalogue import LAYOUTS, layout_called

        if layout == "list":
            click.echo("\n".join(LAYOUTS))
            return
        if layout is None:
            made = make_all(Path(root), people=people, seed=seed)
        elif "list" in oddities:
            for word, meaning in sorted(layout_called(layout).oddities.items()):
                click.echo(f"{word:<24}{meaning}")
            return
        else:
            made = [make_layout(Path(root), layout, people=people, seed=seed, oddities=oddities)]
        for folder, spec in made:
            click.echo(
                f"{folder}: {spec.train_people} people to train on, {spec.test_people} to test, seed {spec.seed}"
            )


@data.command(name="ntu-frames", short_help="Extract frames from the clips of NTU RGB+D 120.")
@click.argument("videos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--root", default="data", show_default=True, help="Frames are written below ROOT/NTU120.")
@click.option(
    "--masks",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Person masks, <clip>.png: pictures are cropped to the person and 10 pixels around.",
)
def ntu_frames(videos: Path, root: str, masks: Path | None) -> None:
    """Extract the middle frame of each clip of NTU RGB+D 120 (camera C003) below VIDEOS.

    A stopped run can be continued. The exit status is 1 if a clip cannot be read; the other frames are written.
    """
    with one_line_errors():
        import os

        from rlq.core.console import Console
        from rlq.data.ntu_frames import extract_frames

        output = Path(root) / "NTU120"
        with Console().bar("clips") as progress:
            done = extract_frames(videos, output, masks=masks, processes=os.cpu_count() or 1, progress=progress)
        click.echo(done.to_text(output))
        if done.unreadable:
            raise SystemExit(1)
