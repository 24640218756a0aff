"""rlq weights: import the authors' checkpoints; export safetensors, ONNX and registered models."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE


@click.group(short_help="Import, export and register weights.")
def weights() -> None:
    """Import checkpoints of the authors, and export and register the weights of runs."""


@weights.command(name="import", short_help="Convert a checkpoint of the authors to a weights folder.")
@click.argument("file", type=FILE)
@click.option("--output", type=click.Path(path_type=Path), help="Folder to write; default: runs/imported/<FILE>.")
@click.option("--data", "dataset", help="The data set, such as prcc; default: found by the number of identities.")
@click.option("--root", default="data", show_default=True, help="The folder of that data set.")
@click.option("--force", is_flag=True, help="Replace other weights in the output folder.")
def import_(file: Path, output: Path | None, dataset: str | None, root: str, force: bool) -> None:
    """Convert a .pth.tar of the authors of RLQ (or a plain CAL) to a folder for rlq evaluate, embed and tad.teacher.

    Nothing in FILE is executed, and a file that does not contain exactly such a network is refused.
    """
    with one_line_errors():
        from rlq.weights import convert

        convert.import_weights(file, output=output, dataset=dataset, root=root, force=force)


@weights.command(short_help="Write weights as safetensors or ONNX.")
@click.argument("run_or_weights", metavar="RUN_OR_CHECKPOINT")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .safetensors or .onnx to write.")
@click.option("--weights", "which", type=click.Choice(["best", "last"]), default="best", help="Which epoch of a run.")
def export(run_or_weights: str, output: Path, which: str) -> None:
    """Write the network that computes features, without heads, and its settings to one file.

    A .safetensors file can be used like a weights folder; an .onnx file is compared with the network first.
    """
    with one_line_errors():
        from rlq.weights import convert

        convert.export_weights(run_or_weights, output, which=which)


@weights.command(short_help="Register a run's network in MLflow's model registry.")
@click.argument("run_or_weights", metavar="RUN_OR_CHECKPOINT")
@click.option("--name", required=True, help="The registered model, such as rlq-prcc; it is created if missing.")
@click.option("--weights", "which", type=click.Choice(["best", "last"]), default="best", help="Which epoch of a run.")
@click.option("--uri", help="A tracking server other than the run's own.")
def register(run_or_weights: str, name: str, which: str, uri: str | None) -> None:
    """Register a function from pictures to features, which MLflow can load without rlq.

    Pictures are uint8 RGB [n, height, width, 3] of the size that the network was trained on; the features are those of
    rlq embed.
    """
    with one_line_errors():
        from rlq.weights import register

        register.register(run_or_weights, name, which=which, uri=uri)
