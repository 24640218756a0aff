"""rlq embed: features of every picture, or folder of frames, below a folder."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.command(short_help="Write features of every picture below a folder.")
@click.argument("run_or_weights", metavar="RUN_OR_CHECKPOINT")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The .npz to write.")
@click.option("--weights", type=click.Choice(["best", "last"]), default="best", help="Epoch of the run.")
@click.option("--skip-bad", is_flag=True, help="Leave out pictures that cannot be read, instead of stopping.")
@click.option(
    "--fast",
    is_flag=True,
    help="Be faster, with slightly other features: bfloat16, folded norms.",
)
@click.option("--tracklets", is_flag=True, help="Write one feature per folder of frames: the mean over its pictures.")
def embed(
    run_or_weights: str, folder: Path, output: Path, *, weights: str, skip_bad: bool, fast: bool, tracklets: bool
) -> None:
    """Write names (relative to FOLDER, sorted) and features (float32, flip-summed, unit length) to an .npz."""
    with one_line_errors():
        from rlq.weights.embed import embed_folder

        written = embed_folder(
            run_or_weights, folder, output, weights=weights, skip_bad=skip_bad, fast=fast, tracklets=tracklets
        )
        kind = "tracklets" if written.of_tracklets else "pictures"
        more = f"; {written.bad} skipped" if written.bad else ""
        click.echo(f"{written.samples} {kind}, {written.width} numbers each, in {output}{more}")
