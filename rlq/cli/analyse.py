"""rlq analyse: examine finished runs beyond their scores."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.command(short_help="Examine what finished runs have learnt.")
@click.argument("name")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--output",
    default=Path("build/analyses"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for NAME.png and NAME.json.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Such as dataset=ltcc or pictures=500.")
def analyse(name: str, runs: tuple[str, ...], output: Path, seed: int, options: tuple[str, ...]) -> None:
    """Draw the analysis NAME of finished runs (ids, prefixes, names, folders) or weights, and print its numbers.

    \b
    curves         losses and metrics over the epochs
    robustness     rank-1 on degraded pictures, by kind and severity of the degradation
    gender_f1      gender of the wrong first matches
    tsne           maps of pictures and their degraded versions
    retrieval      finding the original of a degraded picture
    rank_lists     rank lists of two or more runs for the same queries
    sharpness      sharpness of pictures and of their degraded versions, by the run's ranges
    clothes_probe  clothes that linear probes can read from f_CAL and f_BOT
    sweep          a metric over the one setting in which runs differ
    """
    with one_line_errors():
        from rlq.analysis.command import analyse_runs

        click.echo(analyse_runs(name, runs, output, seed=seed, options=options))
