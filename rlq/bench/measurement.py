"""Measure time and memory, so that other load on the machine disturbs all variants alike."""

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

from rlq.core.errors import RlqError

T = TypeVar("T")
PROCESS_LIMIT = 600.0  # seconds that a timed command may take


@dataclass(frozen=True)
class Options:
    """How a benchmark is run."""

    quick: bool = False  # tiny sizes, to check that everything works
    rounds: int = 5  # how often each variant is timed
    device: str = "cpu"  # or cuda
    compiled: bool = False  # also measure torch.compile, which takes a minute or more per variant


@dataclass
class Times:
    """Seconds of one variant in each round."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def fastest(self) -> float:
        return min(self.seconds)

    def ratio_to(self, other: "Times") -> float:
        """Return how many times as long as another variant this one takes: the median of the ratios within rounds."""
        return median(first / second for first, second in zip(self.seconds, other.seconds, strict=True))


def take_turns(
    variants: Mapping[str, Callable[[], object]], *, rounds: int, warm_ups: int = 1, settle: Callable[[], object] = int
) -> dict[str, Times]:
    """Time every variant once per round; each round starts with another one, and `warm_ups` rounds come first.

    `settle`, such as torch.cuda.synchronize, is called before the clock stops.
    """
    if rounds < 1:
        raise ValueError(f"rounds = {rounds}; at least one is needed")
    times = {name: Times() for name in variants}
    names = list(variants)
    for number in range(-warm_ups, rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            started = time.perf_counter()
            variants[name]()
            settle()
            if number >= 0:
                times[name].seconds.append(time.perf_counter() - started)
    return times


@dataclass
class Memory:
    """Memory at the peak of a piece of work beyond what was in use before; None where that cannot be measured."""

    mib: float | None = None


@contextmanager
def peak_memory() -> Iterator[Memory]:
    """Measure the growth of this process inside the block, by Linux's high-water mark; None elsewhere."""
    memory = Memory()
    mark = Path("/proc/self/clear_refs")
    if not mark.exists():
        yield memory
        return
    mark.write_text("5")  # resets the mark
    before = _status("VmRSS")
    yield memory
    memory.mib = max(0.0, _status("VmHWM") - before)


def in_fresh_process(work: Callable[..., T], *arguments: object) -> T:
    """Call a module's function in a new process, without effects of earlier work, and return or raise what it does."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def time_command(words: Sequence[str], *, expect: int = 0) -> float:
    """Return the seconds of one run of `python ...`. Raises RlqError for another exit code than `expect`."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=PROCESS_LIMIT, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != expect:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise RlqError(f"python {' '.join(words)} ended with {done.returncode}, not {expect}: {''.join(last)}")
    return seconds


def _status(name: str) -> float:
    """Return a figure of /proc/self/status in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RlqError(f"/proc/self/status has no {name}")
