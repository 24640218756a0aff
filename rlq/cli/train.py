"""rlq train: train one experiment."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE


@click.command(short_help="Train an experiment, or continue a stopped run.")
@click.argument("file", required=False, type=FILE)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a setting, such as optim.lr=1e-4.")
@click.option(
    "--base",
    type=FILE,
    help="Extend this experiment instead of the one that FILE names, for example cal.yaml.",
)
@click.option("--resume", metavar="RUN", help="Continue a run: its id, a unique prefix of it, its name or its folder.")
@click.option(
    "--deterministic", is_flag=True, help="The same results from every run on a GPU too: compute.deterministic=true."
)
@click.option("--print-config", is_flag=True, help="Print the resolved settings and exit.")
def train(
    file: Path | None,
    changes: tuple[str, ...],
    base: Path | None,
    resume: str | None,
    *,
    deterministic: bool,
    print_config: bool,
) -> None:
    """Train the experiment in FILE and print its metrics.

    Under torchrun, every process trains on its own batches.
    """
    if (file is None) == (resume is None):
        raise click.UsageError("give an experiment FILE, or a run with --resume")
    if deterministic:
        changes = (*changes, "compute.deterministic=true")
    if resume is not None and (changes or base):
        raise click.UsageError("a resumed run keeps its settings; --set, --base and --deterministic are for a new run")
    with one_line_errors():
        from rlq.runs import experiment

        if resume is not None:
            experiment.resume(resume)
            return
        assert file is not None  # or --resume was given
        loaded = experiment.load(file, changes, base=base)
        if print_config:
            from rlq.core.config import to_yaml

            click.echo(to_yaml(loaded.settings), nl=False)
            return
        experiment.run(loaded)
