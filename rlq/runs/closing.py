"""The closing lines of a finished run, and the seconds that its parts took."""

import time
from collections.abc import Mapping

from rlq.core.settings import TrackingSettings
from rlq.runs.result import Result


class Stopwatch:
    """The seconds of each part of a run, measured one after another."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, name: str) -> None:
        """Record the time since the last lap as that of a part."""
        now = time.monotonic()
        self.seconds[name], self._since = now - self._since, now


def summary_text(result: Result, table: str, links: Mapping[str, str]) -> str:
    """Return the table of scores, the costs of the run, its place, and commands to continue with.

    `links` are the addresses of the run's pages by their labels.
    """
    settings, metrics, folder = result.settings, result.metrics, result.folder
    times = ", ".join(f"{name} {value:.0f} s" for name, value in result.seconds.items() if value >= 0.5)
    is_default = settings.tracking.folder == TrackingSettings().folder  # elsewhere, commands do not look up ids
    word = result.run_id[:8] if is_default else str(folder)
    ui = "make ui" if is_default else f"make ui RUNS={settings.tracking.folder}"
    lines = ["", table, f"time     {times}"]
    if "model/gigaflops" in metrics:
        lines.append(
            f"model    {metrics['model/parameters_inference'] / 1e6:.3f} M parameters and "
            f"{metrics['model/gigaflops']:.3f} GFLOP per picture at inference"
        )
    lines += [
        f"kept     {result.run_id} in {folder}",
        *(f"{name:<8} {address}" for name, address in links.items()),
        "",
        f"next     {ui:<42} all runs in the browser, at the addresses above",
        f"         {f'rlq evaluate {word}':<42} the protocols once more, or --data another set",
        f"         {f'rlq embed {word} FOLDER --output F.npz':<42} features of your own pictures",
    ]
    return "\n".join(lines)
