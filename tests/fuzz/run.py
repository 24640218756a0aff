"""Fuzz every parser: python tests/fuzz/run.py --inputs 20000 [--seed 3] [--only keypoints] [--report fuzz.json]."""

import json
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).resolve().parent
LEAST = 20  # inputs of a parser


@click.command()
@click.option("--inputs", type=click.IntRange(1), default=20_000, show_default=True, help="Of all parsers together.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another one draws other inputs.")
@click.option("--only", multiple=True, metavar="NAME", help="Of this parser; may be given several times.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Also write the numbers as JSON.")
@click.option("--processes", type=click.IntRange(1), default=os.cpu_count() or 1, help="Parsers at once.")
@click.option("--shrink", is_flag=True, help="Make what breaks a parser small, which may take minutes.")
def main(inputs: int, seed: int, only: tuple[str, ...], report: Path | None, processes: int, shrink: bool) -> None:
    """Give every parser broken inputs, and tell how many it took and refused; status 1 when one broke."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads do not survive a fork
    _find_modules()
    from targets import TARGETS

    unknown = sorted(set(only) - {target.name for target in TARGETS})
    if unknown:
        raise click.ClickException(f"no parser {unknown[0]}; there are {', '.join(t.name for t in TARGETS)}")
    chosen = [target for target in TARGETS if not only or target.name in only]
    whole = sum(target.share for target in chosen)
    counts = {target.name: max(LEAST, round(inputs * target.share / whole)) for target in chosen}
    begun = time.perf_counter()
    rows: list[dict[str, Any]] = []
    jobs = sorted((-counts[target.name], target.name, seed, shrink) for target in chosen)  # the longest first
    # Forked, so that nothing is imported anew; a process per parser, so that its memory can be told.
    with get_context("fork").Pool(processes, maxtasksperchild=1) as pool:
        for row in pool.imap_unordered(_one, jobs, chunksize=1):
            rows.append(row)
            click.echo(_line(row) + (f"\n  {row['fault']}" if row["fault"] else ""))
    rows.sort(key=lambda row: row["name"])
    total, broken = sum(row["inputs"] for row in rows), [row for row in rows if row["fault"]]
    seconds = time.perf_counter() - begun
    click.echo(f"{total} inputs of {len(rows)} parsers in {seconds:.0f} s, seed {seed}: {len(broken)} parsers broke")
    if report is not None:
        numbers = {"seed": seed, "inputs": total, "seconds": round(seconds, 1), "parsers": rows}
        report.write_text(json.dumps(numbers, indent=1) + "\n")
    raise SystemExit(1 if broken else 0)


def _one(job: tuple[int, str, int, bool]) -> dict[str, Any]:
    """One parser's numbers."""
    from fuzzing import Broken, Tally, fuzz
    from targets import TARGETS

    fewer, name, seed, shrink = job
    target = next(target for target in TARGETS if target.name == name)
    fault, tally = "", Tally()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        scratch = Path(folder).resolve()
        try:
            fuzz(target, -fewer, scratch, number=seed, shrink=shrink, tally=tally)
        except Broken as error:
            fault = str(error)
    return {
        "name": name,
        "inputs": tally.inputs,
        "accepted": tally.accepted,
        "refused": tally.refused,
        "refusals": dict(sorted(tally.refusals.items())),
        "messages": len(tally.messages),
        "seconds": round(tally.seconds, 2),
        "slowest": round(tally.slowest, 3),
        "fault": fault,
    }


def _line(row: dict[str, Any]) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in row["refusals"].items())
    verdict = "BROKE" if row["fault"] else "ok"
    return (
        f"{row['name']:<18} {row['inputs']:>6} inputs {row['accepted']:>6} taken {row['refused']:>6} refused "
        f"({kinds or 'none'}; {row['messages']} messages) {row['seconds']:6.1f} s, "
        f"slowest {row['slowest']:.2f}  {verdict}"
    )


def _find_modules() -> None:
    """This file is started as a script, and its neighbours and the helpers of other tests lie beside it."""
    for folder in (HERE.parent, HERE):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


if __name__ == "__main__":
    main()
