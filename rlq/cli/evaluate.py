"""rlq evaluate: the protocols of a data set, for weights that exist."""

from typing import TYPE_CHECKING

import click

from rlq.cli.errors import one_line_errors

if TYPE_CHECKING:
    from rlq.data.degradation import Kind
    from rlq.data.readers.celeb_reid import CameraReading
    from rlq.evaluation.evaluator import Degraded, Shots


@click.command(short_help="Evaluate trained weights on a data set.")
@click.argument("run_or_weights", metavar="RUN_OR_CHECKPOINT")
@click.option("--weights", type=click.Choice(["best", "last"]), default="best", help="Epoch of the run.")
@click.option("--data", "dataset", help="Evaluate on this data set, such as prcc, instead of the run's.")
@click.option("--root", help="Folder of that data set or its parent. Default: the run's data.root.")
@click.option("--artefact", type=click.Choice(["pixelation", "gaussian", "motion"]), help="Degrade pictures first.")
@click.option(
    "--severity",
    type=click.IntRange(1, 5),
    help="Strength of the degradation, from 1 (mild) to 5. Default: random within the run's ranges.",
)
@click.option("--degrade", type=click.Choice(["query", "gallery", "both"]), default="both", help="Pictures to degrade.")
@click.option("--artefact-seed", type=click.IntRange(0), default=0, help="Seed of the random choices.")
@click.option(
    "--shots", type=click.Choice(["multi", "single"]), help="PRCC: rank all of camera A, or 10 draws of one per person."
)
@click.option("--celeb-camera", type=click.Choice(["first_digit", "y", "none"]), help="Celeb-reID: what is the camera.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def evaluate(
    run_or_weights: str,
    weights: str,
    dataset: str | None,
    root: str | None,
    artefact: "Kind | None",
    severity: int | None,
    degrade: "Degraded",
    artefact_seed: int,
    shots: "Shots | None",
    celeb_camera: "CameraReading | None",
    as_json: bool,
) -> None:
    """Evaluate a run (id, prefix of one, name or folder), or a weights folder, on a data set.

    The numbers of a run are logged to the run: as test-best/... on its own data set, as <data set>-best/... on another
    one, as test-best-motion-3-query/... on degraded pictures.
    """
    with one_line_errors():
        from rlq.core.console import Console
        from rlq.weights.evaluate import Degrade
        from rlq.weights.evaluate import evaluate as evaluate_weights

        evaluated = evaluate_weights(
            run_or_weights,
            weights=weights,
            dataset=dataset,
            root=root,
            degrade=Degrade(artefact, severity, degrade, artefact_seed),
            shots=shots,
            celeb_camera=celeb_camera,
            console=Console(aside=as_json),
        )
        click.echo(evaluated.to_json() if as_json else evaluated.to_table())
