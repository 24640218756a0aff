"""rlq weights: the authors' checkpoints in; safetensors, ONNX and registered models out."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE


@click.group()
def weights() -> None:
    """Import the authors' weights; export and register ours."""


@weights.command(name="import", short_help="Turn the authors' checkpoint into a weights folder.")
@click.argument("file", type=FILE)
@click.option("--output", type=click.Path(path_type=Path), help="Folder to write; else runs/imported/<name of FILE>.")
@click.option("--data", "dataset", help="The data set, such as prcc; else told by the number of identities.")
@click.option("--root", default="data", show_default=True, help="Where that data set will be looked for.")
@click.option("--force", is_flag=True, help="Replace other weights in the output folder.")
def import_(file: Path, output: Path | None, dataset: str | None, root: str, force: bool) -> None:
    """Turn a .pth.tar of the authors of RLQ (or a plain CAL) into a folder for rlq evaluate, embed and tad.teacher.

    Nothing in FILE is executed, and a file that is not exactly such a network is refused.
    """
    with one_line_errors():
        from rlq.weights import convert

        convert.import_weights(file, output=output, dataset=dataset, root=root, force=force)


@weights.command(short_help="Write safetensors or ONNX.")
@click.argument("run_or_weights", metavar="RUN_OR_CHECKPOINT")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .safetensors or .onnx to write.")
@click.option("--weights", "which", type=click.Choice(["best", "last"]), default="best", help="Which epoch of a run.")
def export(run_or_weights: str, output: Path, which: str) -> None:
    """Write the network that computes features, without heads, with its settings, to one file.

    A .safetensors file goes wherever a weights folder goes; an .onnx file is compared with the network first.
    """
    with one_line_errors():
        from rlq.weights import convert

        convert.export_weights(run_or_weights, output, which=which)


@weights.command(short_help="Make a run's network a version of a model in MLflow's registry.")
@click.argument("run_or_weights", metavar="RUN_OR_CHECKPOINT")
@click.option("--name", required=True, help="The registered model, such as rlq-prcc; made where there is none.")
@click.option("--weights", "which", type=click.Choice(["best", "last"]), default="best", help="Which epoch of a run.")
@click.option("--uri", help="Another tracking server than the run's own.")
def register(run_or_weights: str, name: str, which: str, uri: str | None) -> None:
    """Register a function from pictures to features that anybody can load from MLflow, without rlq.

    Pictures are uint8 RGB [n, height, width, 3] of the size that the network was trained on, any n; features are those
    of rlq embed.
    """
    with one_line_errors():
        from rlq.weights import register

        register.register(run_or_weights, name, which=which, uri=uri)
