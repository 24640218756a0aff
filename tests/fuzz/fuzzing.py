"""What fuzzing means here: a parser is given a folder of files, and returns, or raises RlqError. Nothing else.

Not another exception, not a hang, not a jump in memory, nothing executed, no file touched outside of its folder.
"""

import os
import resource
import shutil
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rlq.core.errors import RlqError

PATIENCE = 5.0  # seconds for one input
LARGEST = 300 * 2**20  # bytes of memory that one input may add
PAGE = resource.getpagesize()
LONGEST = 60  # letters of a kind of refusal

Files = Mapping[str, bytes | Path]  # path below the input's folder -> content, or where a link leads
Parse = Callable[[Path], object]  # of that folder


@dataclass(frozen=True)
class Target:
    """One parser, valid inputs that the project itself makes, and a strategy for nearly valid ones."""

    name: str
    parse: Parse
    inputs: st.SearchStrategy[Files]
    seeds: tuple[Files, ...]  # each is accepted
    share: float = 1.0  # of the inputs of a long run, beside the others'


@dataclass
class Tally:
    """What became of a parser's inputs."""

    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    refusals: Counter[str] = field(default_factory=Counter)  # by the kind of error
    messages: set[str] = field(default_factory=set)  # without the numbers and names in them

    @property
    def refused(self) -> int:
        return self.refusals.total()


class Broken(AssertionError):
    """A parser that did what no parser may do."""


class _TooLong(BaseException):
    """So that no `except Exception` of a parser takes it for its own."""


class Event(NamedTuple):
    """Something that the interpreter reports."""

    name: str
    path: str


class _Watch:
    """Files that are written, and code that is started, while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[Event] = []
        sys.addaudithook(self._hear)  # for the rest of the process

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = args
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if isinstance(path, str | bytes) and (writes or any(letter in (mode or "") for letter in "wax+")):
                self.seen.append(Event(event, os.fsdecode(path)))
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod"):
            self.seen.append(Event(event, os.fsdecode(args[0]) if isinstance(args[0], str | bytes) else ""))
        elif event in ("os.rename", "os.link", "os.symlink"):
            self.seen.append(Event(event, os.fsdecode(args[1])))
        elif event in ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect"):
            self.seen.append(Event(event, "/"))


_watch = _Watch()


def judge(parse: Parse, files: Files, scratch: Path) -> RlqError | None:
    """The refusal of one input, None when it is accepted. Raises Broken for everything that no parser may do.

    The files are put into a new folder in `scratch`, in which nothing else may change.
    """
    folder = scratch / "input"
    put(folder, files)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    now = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE if sys.platform == "linux" else before
    refusal = None
    try:
        with _limited(), _watched() as events:
            parse(folder)
    except RlqError as error:
        refusal = error
        if not str(error).strip():
            raise Broken(f"{type(error).__name__} without a word") from error
    except _TooLong as error:
        raise Broken(f"did not end within {PATIENCE:g} s") from error
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak > before and peak - now > LARGEST:
        raise Broken(f"took {(peak - now) / 2**20:.0f} MiB of memory")
    astray = [event for event in events if not _is_below(event.path, folder)]
    if astray:
        raise Broken(f"touched what is not its own: {astray[:3]}")
    left = sorted(path.name for path in scratch.iterdir())
    if left:
        raise Broken(f"left {left} beside its folder")
    return refusal


def put(folder: Path, files: Files) -> None:
    """Write an input."""
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content)


def fuzz(
    target: Target,
    inputs: int,
    scratch: Path,
    *,
    number: int | None = None,
    shrink: bool = True,
    tally: Tally | None = None,
) -> Tally:
    """Give a parser so many inputs. Raises Broken, with the smallest input that breaks it, at the first fault.

    `number` seeds what is drawn; None: always the same inputs. `tally` is added to, also when there is a fault.
    """
    tally = tally or Tally()
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        derandomize=number is None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(target.inputs)
    def one(files: Files) -> None:
        begun = time.perf_counter()
        try:
            refusal = judge(target.parse, files, scratch)
        except Broken as error:
            raise Broken(f"{target.name} {error}\ninput: {shown(files)}") from error.__cause__
        spent = time.perf_counter() - begun
        tally.inputs += 1
        tally.seconds += spent
        tally.slowest = max(tally.slowest, spent)
        if refusal is None:
            tally.accepted += 1
        else:
            tally.refusals[type(refusal).__name__] += 1
            tally.messages.add(kind_of(refusal))

    (one if number is None else seed(number)(one))()
    return tally


def kind_of(refusal: RlqError) -> str:
    """A message without the names, paths and numbers in it."""
    words = [word for word in str(refusal).split() if word.strip("(),;:.").isalpha()]
    return " ".join(words)[:LONGEST]


def shown(files: Files) -> str:
    """An input for people: whole where it is small."""
    texts = []
    for name, content in files.items():
        text = f"-> {content}" if isinstance(content, Path) else repr(content)
        texts.append(f"{name!r}: {text if len(text) <= 3000 else f'{text[:3000]}... ({len(text)} letters)'}")
    return "{" + ", ".join(texts) + "}"


@contextmanager
def _watched() -> Iterator[list[Event]]:
    _watch.seen = []
    _watch.on = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield _watch.seen
    finally:
        _watch.on = False


@contextmanager
def _limited() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_below(path: str, folder: Path) -> bool:
    absolute = os.path.abspath(path)  # noqa: PTH100 - links are not to be followed
    return absolute == str(folder) or absolute.startswith(f"{folder}{os.sep}") or absolute == os.devnull
