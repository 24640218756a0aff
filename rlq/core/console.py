"""The output of a command while it runs: progress bars on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


class Console:
    """Lines and progress bars. A quiet console, for tests and all processes but the main one, shows nothing."""

    def __init__(self, *, quiet: bool = False, aside: bool = False) -> None:
        """With `aside`, lines go to the error stream, because a program reads the output."""
        self.quiet, self.aside = quiet, aside

    def line(self, text: str = "") -> None:
        if not self.quiet:
            stream = sys.stderr if self.aside else sys.stdout
            tqdm.write(text, file=stream)
            stream.flush()

    def progress(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterable[Item]:
        """Yield the items; on a terminal, show a bar that disappears at the end."""
        shown = not self.quiet and sys.stderr.isatty()
        return tqdm(items, desc=label, total=total, leave=False, dynamic_ncols=True, disable=not shown)

    @contextmanager
    def bar(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar as `progress` does, for work that calls the yielded function with (done, total)."""
        shown = not self.quiet and sys.stderr.isatty()
        with tqdm(desc=label, leave=False, dynamic_ncols=True, disable=not shown) as line:

            def report(done: int, total: int) -> None:
                line.total = total
                line.update(done - line.n)

            yield report
