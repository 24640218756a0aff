"""rlq rerun: a run once more, from what the tracking store holds of it."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FOLDER


@click.command()
@click.argument("run")
@click.option("--runs", type=FOLDER, default=Path("runs"), show_default=True, help="Where runs are kept.")
@click.option("--check", is_flag=True, help="Only say what differs; status 1 if anything does.")
@click.option("--anyway", is_flag=True, help="Run although something differs.")
def rerun(run: str, runs: Path, *, check: bool, anyway: bool) -> None:
    """Start RUN again: its settings and seed out of the store, on the same data, with the same code.

    RUN is a run id, the start of one, a name or a folder. Where code, libraries or data are not those of RUN, it stops
    with a list. At its end the scores of both are compared.
    """
    if check and anyway:
        raise click.UsageError("--check runs nothing, so it does not go with --anyway")
    with one_line_errors():
        from rlq.core.errors import RlqError
        from rlq.runs import rerun as again

        original = again.find(run, runs)
        name = f"{original.stored.name} ({original.stored.run_id[:8]})"
        different = again.differences(original)
        listed = "".join(f"\n  - {line}" for line in different)
        if different and not anyway:
            raise RlqError(f"not as it was when {name} was made:{listed}\n--anyway runs it all the same")
        click.echo(f"rerun    {name}" + (f", although this differs:{listed}" if different else ": all as it was"))
        if not check:
            click.echo(again.comparison_text(original, again.rerun(original)))
