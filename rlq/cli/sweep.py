"""rlq sweep: search for settings, on one machine or many."""

import json
from pathlib import Path

import click

from rlq.cli.errors import one_line_errors
from rlq.cli.options import FILE


@click.command(short_help="Search for settings; every trial is a run.")
@click.argument("file", type=FILE)
@click.option(
    "--base",
    type=FILE,
    help="Vary this experiment instead of the one that FILE names.",
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a setting of every trial.")
@click.option("--trials", type=click.IntRange(min=1), help="Trials of all workers together. Default: as in FILE.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds after which no trial is started.")
@click.option(
    "--storage",
    envvar="RLQ_STORAGE",
    help="The storage of the study, the same for all workers: sqlite:///FILE, postgresql://..., mysql://..., "
    "journal:FILE or grpc://HOST:PORT. Default: a SQLite file among the runs.",
)
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Number of processes on this machine.")
@click.option(
    "--selection",
    type=click.Choice(["holdout", "test"]),
    help="Choose on held-out training people, or on the test set.",
)
@click.option("--smoke", is_flag=True, help="Run two trials of a few steps, to check that everything works.")
@click.option("--print-space", is_flag=True, help="Show the search space, and stop.")
@click.option("--mend", is_flag=True, help="Requeue trials whose worker is gone, and stop.")
@click.option("--force", is_flag=True, help="With --mend: also trials of other machines that send no heartbeat.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end instead of tables.")
@click.option("--one-of-several", "member", is_flag=True, hidden=True, help="A process that --workers has started.")
def sweep(
    file: Path,
    base: Path | None,
    changes: tuple[str, ...],
    trials: int | None,
    timeout: float | None,
    storage: str | None,
    workers: int,
    selection: str | None,
    smoke: bool,
    print_space: bool,
    mend: bool,
    force: bool,
    as_json: bool,
    member: bool,
) -> None:
    """Run the search that the sweep FILE describes, and print the best trials.

    The same command continues the study; on another machine, with the same --storage, it joins the study.
    """
    if force and not mend:
        raise click.UsageError("--force goes with --mend")
    if workers > 1 and (mend or print_space):
        raise click.UsageError("--workers goes with neither --mend nor --print-space")
    with one_line_errors():
        from rlq.core.console import Console
        from rlq.sweep import run as searching
        from rlq.sweep.plan import make_plan

        plan = make_plan(
            file,
            base=base,
            changes=changes,
            trials=trials,
            timeout=timeout,
            selection=selection,
            smoke_test=smoke,
            storage=storage,
        )
        console = Console(aside=as_json)
        if print_space:
            click.echo(plan.describe())
            return
        if mend:
            requeued = searching.mend_search(plan, force=force, console=console)
            click.echo(f"{requeued} trials are queued again or given up; the same command without --mend continues")
            return
        options = {"--base": base, "--trials": trials, "--timeout": timeout, "--selection": selection}
        words = [str(file), *(word for change in changes for word in ("--set", change))]
        words += [str(word) for name, value in options.items() if value is not None for word in (name, value)]
        words += ["--smoke"] * smoke + ["--one-of-several"]
        study = searching.search(plan, workers=workers, words=words, member=member, console=console)
        if study is None:  # the main process of the group prints the results
            return
        if as_json:
            click.echo(json.dumps(searching.closing_tree(plan, study)))
        elif not member:
            click.echo(searching.closing_words(plan, study))
        searching.check_success(plan, study)
