"""rlq rerun: repeat a run from what the tracking store holds."""

from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FOLDER


@click.command()
@click.argument("run")
@click.option("--runs", type=FOLDER, default=Path("runs"), show_default=True, help="Folder of the runs.")
@click.option("--check", is_flag=True, help="Only list what differs; the exit status is 1 if anything does.")
@click.option("--anyway", is_flag=True, help="Run even if something differs.")
def rerun(run: str, runs: Path, *, check: bool, anyway: bool) -> None:
    """Repeat RUN: with its settings and seed from the store, on the same data, with the same code.

    RUN is a run id, the beginning of one, a name or a folder. If code, libraries or data differ from those of RUN, the
    command lists the differences and stops. At the end it compares the scores of both runs.
    """
    if check and anyway:
        raise click.UsageError("--check runs nothing, so it does not go with --anyway")
    with one_line_errors():
        from rlq.core.errors import RlqError
        from rlq.runs import rerun as again

        found = again.find(run, runs)
        name = f"{found.stored.name} ({found.stored.run_id[:8]})"
        different = again.differences(found)
        listed = "".join(f"\n  - {line}" for line in different)
        if different and not anyway:
            raise RlqError(f"not as it was when {name} was made:{listed}\n--anyway runs it all the same")
        click.echo(f"rerun    {name}" + (f", although this differs:{listed}" if different else ": all as it was"))
        if not check:
            click.echo(again.closing_words(found, again.rerun(found)))
