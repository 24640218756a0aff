"""What a person sees while something runs: bars on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


class Console:
    """Lines and progress bars; a quiet one (other processes of a group, tests) shows nothing."""

    def __init__(self, *, quiet: bool = False, aside: bool = False) -> None:
        """`aside` sends lines to the error stream, where output is for a program."""
        self.quiet, self.aside = quiet, aside

    def line(self, text: str = "") -> None:
        if not self.quiet:
            stream = sys.stderr if self.aside else sys.stdout
            tqdm.write(text, file=stream)
            stream.flush()

    def progress(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterable[Item]:
        """The same items; on a terminal with a bar that vanishes when done."""
        shown = not self.quiet and sys.stderr.isatty()
        return tqdm(items, desc=label, total=total, leave=False, dynamic_ncols=True, disable=not shown)

    @contextmanager
    def bar(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """A bar for work that reports (done, in all) itself; shown as `progress` shows its own."""
        shown = not self.quiet and sys.stderr.isatty()
        with tqdm(desc=label, leave=False, dynamic_ncols=True, disable=not shown) as line:

            def report(done: int, total: int) -> None:
                line.total = total
                line.update(done - line.n)

            yield report
