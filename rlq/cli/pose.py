"""rlq pose: keypoints of a data set's pictures, and pose clusters."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE

if TYPE_CHECKING:
    from rlq.labels.pose import Variant

VECTORS: tuple["Variant", ...] = (  # a copy of rlq.labels.pose.VARIANTS, because that module loads numpy
    "lengths_angles",
    "lengths_angles_coordinates",
    "angles",
    "normalised_lengths_angles",
    "normalised_lengths_angles_coordinates",
    "normalised_angles",
)


class Counts(click.ParamType):
    """A number of clusters, or first:last:step with both ends."""

    name = "K"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        numbers = re.fullmatch(r"(\d+)(?::(\d+)(?::(\d+))?)?", str(value))
        if numbers is not None:
            first, last, step = int(numbers[1]), int(numbers[2] or numbers[1]), int(numbers[3] or 1)
            if 2 <= first <= last and step > 0:
                return tuple(range(first, last + 1, step))
        self.fail(f"{value!r} should be a number of clusters such as 15, or a range such as 5:40:5", param, ctx)


@click.group(short_help="Import, extract and cluster poses of people.")
def pose() -> None:
    """Import, extract and cluster the poses of a data set's pictures."""


@pose.command(name="import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--data", "dataset", required=True, help="The data set, such as prcc.")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option("--below", default="", help="The folder of the set that SOURCE's names are relative to, such as train.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="By default <set>/rlq/keypoints.json.")
def import_(source: Path, dataset: str, root: str, below: str, output: Path | None) -> None:
    """Convert keypoints to the file that training reads.

    SOURCE is AlphaPose's result JSON, COCO's person keypoint annotations, or the folder that OpenPose wrote. An older
    output file is replaced.
    """
    with one_line_errors():
        from rlq.core.console import Console
        from rlq.labels.pose_import import import_keypoints

        imported = import_keypoints(source, dataset, Path(root), output=output, below=below, console=Console())
        click.echo(imported.to_text())


@pose.command(short_help="Detect joints with torchvision's Keypoint R-CNN.")
@click.option("--data", "dataset", required=True, help="The data set, such as prcc.")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option(
    "--weights",
    type=FILE,
    help="A local .pth file; by default torchvision downloads its own.",
)
@click.option("--batch", type=click.IntRange(1), default=4, show_default=True, help="Pictures at a time.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--score",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Least score of a person.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="By default <set>/rlq/keypoints.json.")
def extract(
    dataset: str, root: str, weights: Path | None, batch: int, device: str, score: float, output: Path | None
) -> None:
    """Detect people and their joints with torchvision's keypointrcnn_resnet50_fpn.

    This takes seconds per picture on a CPU. A stopped run can be continued. An older output file is replaced at the
    end. The exit status is 1 if pictures cannot be read.
    """
    with one_line_errors():
        from rlq.core.console import Console
        from rlq.labels.pose_extract import extract_keypoints

        extracted = extract_keypoints(
            *(dataset, Path(root)),
            weights=weights,
            batch=batch,
            device=device,
            score=score,
            output=output,
            console=Console(),
        )
        click.echo(extracted.to_text())
        if extracted.unreadable:
            raise SystemExit(1)


@pose.command(short_help="Cluster poses into a file in the authors' format.")
@click.option("--data", "dataset", required=True, help="The data set, such as prcc.")
@click.option("--root", default="data", show_default=True, help="The set's folder, or its parent.")
@click.option(
    "--keypoints",
    type=click.Path(exists=True, path_type=Path),
    help="Any source that rlq pose import reads; by default <set>/rlq/keypoints.json.",
)
@click.option(
    "--k",
    "counts",
    type=Counts(),
    multiple=True,
    default=["15"],
    show_default=True,
    help="Number of clusters; 5:40:5 means 5, 10, ..., 40. Repeatable.",
)
@click.option(
    "--vector",
    "vectors",
    type=click.Choice([*VECTORS, "all"]),
    multiple=True,
    default=["lengths_angles"],
    show_default=True,
    help="The measurements of a pose. Repeatable.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="By default <set>/rlq/pose_clusters.csv."
)
@click.option(
    "--sheet",
    "sheets",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for sheets with pictures of each clustering.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def cluster(
    dataset: str,
    root: str,
    keypoints: Path | None,
    counts: tuple[tuple[int, ...], ...],
    vectors: "tuple[Variant | Literal['all'], ...]",
    output: Path | None,
    sheets: Path | None,
    seed: int,
) -> None:
    """Cluster the training pictures' poses into a file in the authors' format.

    Other clusterings in an existing file are kept.
    """
    with one_line_errors():
        from rlq.core.console import Console
        from rlq.labels.pose_cluster import cluster_training_poses

        clustered = cluster_training_poses(
            *(dataset, Path(root)),
            keypoints=keypoints,
            counts=[count for numbers in counts for count in numbers],
            vectors=VECTORS if "all" in vectors else tuple(vector for vector in vectors if vector != "all"),
            output=output,
            sheets=sheets,
            seed=seed,
            console=Console(),
        )
        click.echo(clustered.to_text())
