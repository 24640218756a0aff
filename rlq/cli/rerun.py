"""rlq rerun: repeat a run from its record in the tracking store."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FOLDER


@click.command(short_help="Repeat a recorded run and compare the scores.")
@click.argument("run")
@click.option("--runs", type=FOLDER, default=Path("runs"), show_default=True, help="The folder of runs.")
@click.option("--check", is_flag=True, help="Only print the differences; status 1 if there are any.")
@click.option("--anyway", is_flag=True, help="Run in spite of differences.")
def rerun(run: str, runs: Path, *, check: bool, anyway: bool) -> None:
    """Repeat RUN with its recorded settings and seed, on the same data and with the same code.

    RUN is a run id, the beginning of one, a name or a folder. If code, libraries or data differ from those of RUN, the
    differences are printed and nothing runs. At the end, the scores of both runs are compared.
    """
    if check and anyway:
        raise click.UsageError("--check runs nothing, so it cannot be used with --anyway")
    with one_line_errors():
        from rlq.core.errors import RlqError
        from rlq.runs import rerun as reruns

        original = reruns.find(run, runs)
        name = f"{original.stored.name} ({original.stored.run_id[:8]})"
        differences = reruns.differences(original)
        lines = "".join(f"\n  - {difference}" for difference in differences)
        if differences and not anyway:
            raise RlqError(f"something has changed since {name} ran:{lines}\n--anyway runs it in spite of that")
        click.echo(f"rerun    {name}" + (f", in spite of differences:{lines}" if differences else ": no differences"))
        if not check:
            click.echo(reruns.comparison_text(original, reruns.rerun(original)))
