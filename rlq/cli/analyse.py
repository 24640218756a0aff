"""rlq analyse: analyse finished runs beyond their scores."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.command(short_help="Analyse finished runs beyond their scores.")
@click.argument("name")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output",
    default=Path("build/analyses"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for NAME.png and NAME.json.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all random choices.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set an option, such as dataset=ltcc.",
)
def analyse(name: str, runs: tuple[str, ...], output: Path, seed: int, options: tuple[str, ...]) -> None:
    """Run the analysis NAME on finished runs (ids, prefixes, names, folders) or weights, and print its numbers.

    \b
    curves         losses and metrics over the epochs
    robustness     rank-1 on pictures under each degradation, from mild to strong
    gender_f1      gender of the wrong first matches
    tsne           maps of good pictures and their degraded versions
    retrieval      from a degraded picture to its good version
    rank_lists     rank lists of two or more runs for the same queries
    sharpness      sharpness of good and degraded pictures, with the ranges of the run
    clothes_probe  how much information on clothes f_CAL and f_BOT hold
    sweep          a metric over the only setting in which the runs differ
    """
    with one_line_errors():
        from rlq.analysis.command import analyse_runs

        click.echo(analyse_runs(name, runs, output, seed=seed, options=options))
