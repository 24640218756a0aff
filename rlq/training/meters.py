"""Meters of one pass that do not make a GPU wait: the means of its loss terms, and the time spent waiting for data."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlq.core.errors import TrainingError
from rlq.core.text import listed

GPU_CHECK_INTERVAL = 50  # steps between two checks of the loss terms: each check waits for all work of the GPU


class PendingStep(NamedTuple):
    """A step whose loss terms have not been checked yet."""

    number: int
    names: tuple[str, ...]
    values: Tensor  # [terms] float32, on the device
    paths: Sequence[str]


class LossMeter:
    """Means of loss terms over rows.

    Terms stay on the device and are checked every `every` steps, in order. Neither the means nor the error messages
    depend on that interval.
    """

    def __init__(self, name: str, epoch: int, *, every: int) -> None:
        self.name, self.epoch, self.every = name, epoch, every
        self._pending: list[PendingStep] = []
        self._steps = 0
        self._totals: dict[str, float] = defaultdict(float)
        self._rows: dict[str, int] = defaultdict(int)

    def add(self, terms: Mapping[str, Tensor], paths: Sequence[str]) -> None:
        """Add a step's terms, each a mean over its rows; there is one row per path.

        Raise TrainingError if a term of this step or of an earlier unchecked step is not finite.
        """
        values = torch.stack([value.detach().float() for value in terms.values()])
        self._pending.append(PendingStep(self._steps, tuple(terms), values, paths))
        self._steps += 1
        if len(self._pending) >= self.every:
            self._check()

    def means(self) -> dict[str, float]:
        """Return each term's mean over the rows of all steps so far. Raise TrainingError as `add` does."""
        self._check()
        return {name: total / self._rows[name] for name, total in self._totals.items()}

    def _check(self) -> None:
        if not self._pending:
            return
        values = iter(torch.cat([step.values for step in self._pending]).tolist())  # the one wait for the device
        checked, self._pending = self._pending, []
        for step in checked:
            rows = len(step.paths)
            for name, value in zip(step.names, values, strict=False):
                if not math.isfinite(value):
                    raise TrainingError(
                        f"{name} of the {self.name} pass is {value} in step {step.number} of epoch {self.epoch}, at "
                        f"the pictures {listed(step.paths, 3)}; a lower optim.lr or compute.precision=float32 may "
                        "help"
                    )
                self._totals[name] += value * rows
                self._rows[name] += rows


class WaitClock:
    """Measures how long the device was idle because no batch was ready.

    A GPU runs behind the program, which may wait for the loader while the GPU is still busy. The gaps between steps are
    therefore measured by the GPU itself. Moving a batch to the device and normalising it there counts as waiting.
    """

    def __init__(self, device: torch.device, event: Callable[..., Any] = torch.cuda.Event) -> None:
        """Start to wait for the first batch."""
        self._event = event if device.type == "cuda" else None
        self._gaps: list[tuple[Any, Any]] = []
        self._waited = 0.0
        self.idle()

    def idle(self) -> None:
        """Start to wait: all work of a step has been submitted to the device."""
        self._since = self._now()

    def busy(self) -> None:
        """Stop to wait: a batch is ready."""
        now = self._now()
        if self._event is None:
            self._waited += now - self._since
        else:
            self._gaps.append((self._since, now))

    def seconds(self) -> float:
        """Return the sum of all gaps so far; the device must have finished the last one."""
        return self._waited + sum(since.elapsed_time(until) for since, until in self._gaps) / 1000

    def _now(self) -> Any:
        """Return the time in seconds, or an event that the GPU will record."""
        if self._event is None:
            return time.monotonic()
        mark = self._event(enable_timing=True)
        mark.record()
        return mark
