"""rlq bench: how fast the parts of rlq are on this machine, compared with plain forms of what is usually done."""

import json
from pathlib import Path

import click

from rlq.cli.errors import one_line_errors


@click.command(short_help="Time parts of rlq and compare them with goals.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listed", is_flag=True, help="List the names of the benchmarks.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write the JSON to this file.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="How often each variant is timed."
)
@click.option("--quick", is_flag=True, help="Tiny sizes, to check in seconds that everything works.")
@click.option("--compile", "compiled", is_flag=True, help="Also measure torch.compile, a minute or more per variant.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def bench(
    names: tuple[str, ...],
    *,
    listed: bool,
    as_json: bool,
    output: Path | None,
    rounds: int,
    quick: bool,
    compiled: bool,
    device: str,
) -> None:
    """Run the named benchmarks, or all of them, and compare the results with their goals.

    Variants take turns in one process, so that other load disturbs all alike: trust the ratios, not the seconds.
    """
    with one_line_errors():
        from rlq.bench.benchmarks import BENCHES, check_names, run_one
        from rlq.bench.measurement import Options, in_fresh_process
        from rlq.bench.results import as_markdown, as_tree, machine, machine_words
        from rlq.core.distributed import usable_device
        from rlq.core.files import write_file

        if listed:
            click.echo("\n".join(BENCHES))
            return
        chosen = check_names(names)
        options = Options(quick=quick, rounds=rounds, device=usable_device(device), compiled=compiled)
        about = machine(options.device)
        if not as_json:
            click.echo(f"{machine_words(about)}\n")
        trees = {}
        for name in chosen:
            results, seconds = in_fresh_process(run_one, name, options)
            trees[name] = as_tree(results, seconds)
            if not as_json:
                click.echo(as_markdown(name, results, seconds))
        text = json.dumps({"machine": about, "benches": trees}, indent=2)
        if as_json:
            click.echo(text)
        if output is not None:
            write_file(output, text + "\n")
