"""rlq analyse: ask finished runs a question beyond their scores."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.command(short_help="Ask finished runs what they have learnt.")
@click.argument("name")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output",
    default=Path("build/analyses"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for NAME.png and NAME.json.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything left to chance.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Such as dataset=ltcc or pictures=500.")
def analyse(name: str, runs: tuple[str, ...], output: Path, seed: int, options: tuple[str, ...]) -> None:
    """Draw the analysis NAME of finished runs (ids, prefixes, names, folders) or weights, and print its numbers.

    \b
    curves         losses and metrics over the epochs
    robustness     rank-1 on pictures spoilt by each artefact, mildly to strongly
    gender_f1      gender of the wrong first matches
    tsne           maps of good pictures and their bad versions
    retrieval      from a bad picture to the same picture when it was good
    rank_lists     what two runs or more find for the same queries
    sharpness      how sharp good and bad pictures are; the run gives the artefacts' ranges
    clothes_probe  how much of the clothes is left in f_CAL and f_BOT
    sweep          a metric over the one setting in which runs differ
    """
    with one_line_errors():
        from rlq.analysis.command import analyse_runs

        click.echo(analyse_runs(name, runs, output, seed=seed, options=options))
