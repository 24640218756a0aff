"""The built-in data sets by their names in experiment files: made on first use, then read like any other."""

import json
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlq.core.console import Console
from rlq.core.distributed import Place, wait_for_all
from rlq.synthetic.build import MANIFEST, VERSION, ensure
from rlq.synthetic.layouts.albums import Spec
from rlq.synthetic.layouts.catalogue import layout_called
from rlq.synthetic.layouts.celeb_reid import CelebSpec
from rlq.synthetic.layouts.prcc import PrccSpec

# name in experiment files -> folder below data.root, sizes
EMBEDDED: dict[str, tuple[str, Spec]] = {
    "synthetic": ("synthetic/prcc", PrccSpec()),
    "synthetic_celeb": ("synthetic/Celeb-reID", CelebSpec()),
}


def ensure_embedded(name: str, root: Path, place: Place, console: Console) -> None:
    """Make a built-in set below `root` unless one of this version is there, of any size; other names are left alone."""
    if name not in EMBEDDED:
        return
    below, spec = EMBEDDED[name]
    folder = root / below
    if place.is_main and not is_current(folder, spec):
        console.line(f"data     making {folder} (once)")
        ensure(folder, spec, processes=os.cpu_count() or 1)
    wait_for_all()


def is_current(folder: Path, spec: Spec) -> bool:
    """Whether the folder holds a synthetic set of this layout, drawn by this version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return manifest.get("version") == VERSION and manifest.get("layout") == type(spec).__name__


def make_all(root: Path, *, people: int | None = None, seed: int = 1) -> list[tuple[Path, Spec]]:
    """Make both built-in sets below `root`, with another number of training people or another seed if asked."""
    folders = []
    for below, spec in EMBEDDED.values():
        chosen = replace(spec, seed=seed, train_people=people or spec.train_people)
        folders.append((ensure(root / below, chosen, processes=os.cpu_count() or 1), chosen))
    return folders


def make_layout(
    root: Path, layout: str, *, people: int | None = None, seed: int = 1, oddities: Collection[str] = ()
) -> tuple[Path, Spec]:
    """Make a small set of any layout in its usual folder below `root`, with other sizes or oddities if asked."""
    chosen = layout_called(layout)
    sizes: dict[str, Any] = {"train_people": people} if people else {}
    spec = chosen.spec(seed=seed, oddities=frozenset(oddities), **sizes)
    return ensure(root / chosen.folder, spec, processes=os.cpu_count() or 1), spec
