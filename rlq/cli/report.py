"""rlq report: tables, pages and figures of finished runs."""

import shlex
from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE, FOLDER, whole_numbers


@click.command(short_help="Compare finished runs in a table and a page.")
@click.argument("words", metavar="TABLE_OR_RUNS...", nargs=-1, required=True)
@click.option("--base", type=FILE, help="Report the rows on this experiment, not on those that the table names.")
@click.option(
    "--results",
    type=FOLDER,
    default=Path("docs/results/raw"),
    show_default=True,
    help="Folder of finished rows, one JSON file each.",
)
@click.option("--seeds", callback=whole_numbers, metavar="1,2", help="Use only these seeds.")
@click.option("--protocol", "protocols", multiple=True, help="Show this protocol; may be given several times.")
@click.option(
    "--which",
    type=click.Choice(["best", "last", "paper"]),
    default="best",
    show_default=True,
    help="Show the best epoch, the last epoch, or each number's own best epoch as in the paper.",
)
@click.option("--authors-way", is_flag=True, help="Also show the mean of the best two seeds, as the authors report.")
@click.option(
    "--analysis", "analyses", multiple=True, metavar="NAME", help="Also draw this figure; may be given several times."
)
@click.option("--output", type=FOLDER, help="Folder of the report (default: build/reports/NAME).")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["md", "tex", "html", "all"]),
    default="all",
    show_default=True,
    help="Write Markdown, LaTeX, one HTML page, or all of them.",
)
def report(
    words: tuple[str, ...],
    base: Path | None,
    results: Path,
    seeds: tuple[int, ...],
    protocols: tuple[str, ...],
    which: str,
    authors_way: bool,
    analyses: tuple[str, ...],
    output: Path | None,
    formats: str,
) -> None:
    """Compare the rows of a table (experiments/tables/...), or runs: each an id, a prefix of one, a name or a folder.

    The tables show mean and standard deviation over seeds, the difference to the reference row with its interval, and
    the published numbers. Runs that differ only in their seed are one row.
    """
    with one_line_errors():
        from rlq.report.content import ReportOptions
        from rlq.report.report import FORMATS
        from rlq.report.report import report as make

        written = make(
            words,
            base=base,
            results=results,
            protocols=protocols,
            options=ReportOptions(which, seeds, authors_way),
            analyses=analyses,
            formats=FORMATS if formats == "all" else (formats,),
            output=output,
            command=_command(),
        )
        click.echo(f"\n{written.text}\n")
        for file in written.files:
            click.echo(f"kept     {file}")


def _command() -> str:
    """Return the command that makes this report again: the given options without those of the output."""
    context = click.get_current_context()
    words = ["rlq", "report", *context.params["words"]]
    for option in context.command.params[1:]:
        value = context.params[option.name]
        if option.name in ("output", "formats") or value == option.get_default(context) or not value:
            continue
        if option.name == "seeds":
            value = ",".join(map(str, value))
        for one in value if isinstance(value, tuple) else [value]:
            words += [option.opts[-1]] if one is True else [option.opts[-1], str(one)]
    return shlex.join(words)
