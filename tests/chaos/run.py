"""Kill, starve and corrupt real commands, and check that nothing is lost.

    python tests/chaos/run.py --seeds 1,2,3

Every fault happens once per seed, in a folder of its own; the seed decides the moments. A fault that fails leaves its
folder behind. Exit status 1 if one failed. On two cores, three seeds take about 7 minutes and the short form with one
seed less than one.
"""

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

TESTS = str(Path(__file__).resolve().parents[1])
if __name__ == "__main__":
    sys.path[0] = TESTS  # this folder's files are the package chaos
    os.environ |= {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "NO_ALBUMENTATIONS_UPDATE": "1"}
    os.environ.pop("MLFLOW_TRACKING_URI", None)

from chaos.faults import Fault, Outcome  # noqa: E402 - once it is known where they are
from chaos.scene import Scene  # noqa: E402
from chaos.stage import preload, prepare  # noqa: E402

LIMIT = 2700.0  # seconds for all of it


@dataclass(frozen=True)
class Tried:
    """One fault with one seed."""

    name: str
    kind: str
    seed: int
    seconds: float
    tried: int = 0
    compared: str = ""
    failure: str = ""  # why it failed; empty: survived
    folder: str = ""  # kept of a failed one
    not_tried: str = ""  # why
    details: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        end = f"not tried: {self.not_tried}" if self.not_tried else "ok"
        if self.failure:
            end = f"FAILED {self.failure}\n    kept in {self.folder}"
        return f"{self.name:<28} seed {self.seed}  {self.tried:>3} x  {self.seconds:6.1f} s  {self.compared}  {end}"


def main() -> int:
    options = _options()
    faults = chosen(catalogue(), only=options.only, short=options.short)
    if options.list:
        for fault in faults:
            print(f"{fault.kind:<8} {fault.name:<28} {'short' if fault.short else ''}")
        return 0
    began = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="rlq-chaos-"))
    preload()
    prepare(home, sys.executable)
    print(f"prepared in {time.monotonic() - began:.0f} s: {len(faults)} faults, seeds {options.seeds}", flush=True)
    found = []
    limit = options.limit - (time.monotonic() - began)
    for one in inflict_all(faults, options.seeds, home, jobs=options.jobs, limit=limit):
        print(one.line(), flush=True)
        found.append(one)
    print(f"\n{summary(found)}\n{time.monotonic() - began:.0f} s")
    if options.report is not None:
        options.report.write_text(json.dumps(report(found, time.monotonic() - began), indent=1) + "\n")
    failed = any(one.failure for one in found)
    if not failed:
        shutil.rmtree(home)
    return int(failed)


def catalogue() -> list[Fault]:
    """Every fault there is."""
    from chaos import corrupting, killing, killing_commands, racing, servers, starving, workers

    rooms = (killing, killing_commands, starving, servers, workers, corrupting, racing)
    return [fault for room in rooms for fault in room.FAULTS]


def chosen(faults: Sequence[Fault], *, only: Sequence[str] = (), short: bool = False) -> list[Fault]:
    """Those with these names, or of the short form. Raises SystemExit for a name that is none."""
    unknown = sorted(set(only) - {fault.name for fault in faults})
    if unknown:
        raise SystemExit(f"there is no fault {', '.join(unknown)}; there are {', '.join(f.name for f in faults)}")
    return [fault for fault in faults if (not only or fault.name in only) and (fault.short or not short)]


def inflict_all(
    faults: Sequence[Fault], seeds: Sequence[int], home: Path, *, jobs: int = 1, limit: float = LIMIT
) -> Iterator[Tried]:
    """Every fault with every seed, `jobs` at a time in processes of their own, each result as soon as it is there.

    At the end of the time the running ones are ended, and they and the rest have failed.
    """
    waiting = [(fault, seed) for seed in seeds for fault in faults]
    running: dict[Connection, tuple[BaseProcess, Fault, int, float]] = {}
    context = multiprocessing.get_context("fork")  # the libraries are loaded already
    end = time.monotonic() + limit
    while waiting or running:
        while waiting and len(running) < jobs and time.monotonic() < end:
            fault, seed = waiting.pop(0)
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_report_to, args=(there, fault, seed, home))
            process.start()
            there.close()
            running[here] = (process, fault, seed, time.monotonic())
        for pipe in wait(list(running), timeout=max(0.0, end - time.monotonic())):
            assert isinstance(pipe, Connection)
            process, fault, seed, began = running.pop(pipe)
            yield _received(pipe, fault, seed, time.monotonic() - began, home)
            process.join()
        if time.monotonic() >= end:
            for process, fault, seed, began in running.values():
                process.terminate()
                process.join()
                yield _failed(fault, seed, time.monotonic() - began, f"the {limit:.0f} s were over", home)
            for fault, seed in waiting:
                yield _failed(fault, seed, 0.0, f"not begun: the {limit:.0f} s were over", home)
            return


def inflict(fault: Fault, seed: int, home: Path) -> Tried:
    """One fault with one seed. Its folder is kept if it failed."""
    scene = Scene(folder_of(fault, seed, home), seed, sys.executable, home)
    began = time.monotonic()
    try:
        scene.furnish()
        outcome: Outcome = fault.inflict(scene)
        assert bool(outcome.tried) != bool(outcome.not_tried), "nothing was inflicted, and it does not say why"
    except AssertionError as error:
        failure = " ".join(str(error).split())[:1500] or traceback.format_exc()[-1500:]
        return _failed(fault, seed, time.monotonic() - began, failure, home)
    finally:
        scene.close()
    shutil.rmtree(scene.folder)
    seconds = time.monotonic() - began
    return Tried(
        fault.name,
        fault.kind,
        seed,
        seconds,
        outcome.tried,
        outcome.compared,
        details=outcome.details,
        not_tried=outcome.not_tried,
    )


def folder_of(fault: Fault, seed: int, home: Path) -> Path:
    return home / f"{fault.name.replace(' ', '-')}-{seed}"


def summary(found: Sequence[Tried]) -> str:
    """A line per fault: kind, name, how often, what was compared, the result; then one per kind, and one of all."""
    rows = [("kind", "fault", "times", "compared", "result")]
    for name in dict.fromkeys(one.name for one in found):
        same = [one for one in found if one.name == name]
        compared = next((one.compared for one in same if one.compared), "-")
        rows.append((same[0].kind, name, str(sum(one.tried for one in same)), compared, _result(same)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    kinds = dict.fromkeys(one.kind for one in found)
    totals = [f"{kind:<8} {_total([one for one in found if one.kind == kind])}" for kind in kinds]
    return "\n".join([*lines, "", *totals, f"all      {_total(found)}"])


def _result(same: Sequence[Tried]) -> str:
    failed = [one.seed for one in same if one.failure]
    if failed:
        return f"FAILED with seed {', '.join(map(str, failed))}"
    reasons = dict.fromkeys(one.not_tried for one in same if one.not_tried)
    missing = f"not tried: {'; '.join(reasons)}" if reasons else ""
    return missing if all(one.not_tried for one in same) else ", ".join(filter(None, ("survived", missing)))


def _total(found: Sequence[Tried]) -> str:
    times, missing = sum(one.tried for one in found), sum(bool(one.not_tried) for one in found)
    failures = sum(bool(one.failure) for one in found)
    return f"{times} faults inflicted in {len(found) - missing} scenes, {missing} not tried, {failures} scenes failed"


def report(found: Sequence[Tried], seconds: float) -> dict[str, Any]:
    """All of it for a program."""
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    return {"machine": machine, "seconds": seconds, "faults": [asdict(one) for one in found]}


def _report_to(pipe: Connection, fault: Fault, seed: int, home: Path) -> None:
    def ended(*_: object) -> None:
        raise SystemExit(1)  # its `finally` ends what the scene has started

    signal.signal(signal.SIGTERM, ended)
    pipe.send(inflict(fault, seed, home))


def _received(pipe: Connection, fault: Fault, seed: int, seconds: float, home: Path) -> Tried:
    try:
        return pipe.recv()
    except EOFError:  # the fault itself is broken, which has shown nothing
        return _failed(fault, seed, seconds, "its own process ended by an error, which is told above", home)


def _failed(fault: Fault, seed: int, seconds: float, why: str, home: Path) -> Tried:
    return Tried(fault.name, fault.kind, seed, seconds, failure=why, folder=str(folder_of(fault, seed, home)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=_numbers, default=[1, 2, 3], metavar="1,2,3")
    parser.add_argument("--only", type=_words, default=[], metavar="NAME,...", help="these faults alone")
    parser.add_argument("--short", action="store_true", help="the short form, which the slow tests run")
    parser.add_argument("--list", action="store_true", help="name the faults and stop")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write everything there as well")
    several = min(4, 1 + (os.cpu_count() or 1))  # they wait for servers and time limits as much as they compute
    parser.add_argument("--jobs", type=int, default=several, help="faults at a time, here %(default)s")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="S", help="seconds for all of it")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
