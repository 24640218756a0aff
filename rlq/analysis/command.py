"""`rlq analyse`: from the words of the command line to files."""

import json
from collections.abc import Sequence
from pathlib import Path

from rlq.analysis.catalogue import ANALYSES, analyse
from rlq.analysis.runs import by_name, source
from rlq.core.config import apply_changes
from rlq.core.console import Console
from rlq.core.errors import SettingsError
from rlq.core.files import written_whole
from rlq.core.settings import TrackingSettings


def analyse_runs(name: str, words: Sequence[str], output: Path, *, seed: int, options: Sequence[str]) -> str:
    """Write NAME.png and NAME.json into the folder `output`; return what to print.

    `words` name runs or weights, `options` read NAME=VALUE as settings do. Raises RlqError.
    """
    runs = Path(TrackingSettings().folder)
    incomplete = [option for option in options if "=" not in option]
    if incomplete:
        raise SettingsError(f"--option {incomplete[0]!r} should read NAME=VALUE, such as pictures=500")
    chosen = apply_changes({}, options)
    sources = [source(word, runs) for word in words]
    outcome = analyse(name, sources, seed=seed, console=Console(), options=chosen)
    about = {
        "analysis": name,
        "runs": {label: {"run_id": one.run_id, "folder": str(one.folder)} for label, one in by_name(sources).items()},
        "seed": seed,
        "options": chosen,
        "numbers": outcome.numbers,
    }
    text = json.dumps(about, indent=1, allow_nan=False) + "\n"
    with written_whole(output / f"{name}.json") as partial:
        partial.write_text(text, encoding="utf-8")
    with written_whole(output / f"{name}.png") as partial:
        outcome.figure.savefig(partial, dpi=130)
    note = ANALYSES[name].note
    return "\n".join([outcome.text, *([f"\n{note}"] if note else []), f"\nkept     {output / name}.png and .json"])
