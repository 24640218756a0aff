"""rlq data check on as many files as LaST has, all of them small."""

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

TRAIN, QUERY, GALLERY = 64_000, 10_000, 126_000
PEOPLE = 4_000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="measures memory as Linux tells it")
def test_two_hundred_thousand_files_are_checked_in_less_than_a_gibibyte(tmp_path):
    write_last(tmp_path / "last")
    words = [sys.executable, "-m", "rlq", "data", "check", "last", "--root", str(tmp_path), "--json"]
    with (tmp_path / "report.json").open("w") as report, subprocess.Popen(words, stdout=report) as process:
        most = 0
        while process.poll() is None:
            most = max(most, sum(map(proportional_set, family(process.pid))))
            time.sleep(0.2)
    tree = json.loads((tmp_path / "report.json").read_text())
    assert process.returncode == 0 and tree["files"] == 200_000
    assert tree["unreadable"] == [] and tree["duplicates"] == []
    assert tree["splits"]["train"]["pictures"] == TRAIN and tree["splits"]["test"]["pictures"] == QUERY + GALLERY
    assert tree["protocols"]["GENERAL"] == {"queries": QUERY, "valid_queries": QUERY, "gallery": GALLERY}
    print(f"{tree['files_per_second']:,.0f} files/s, {most / 1024:.0f} MiB in all processes together")
    assert 0 < most < 1024**2


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [pid, *(one for child in children.read_text().split() for one in family(int(child)))]
    except OSError:  # it has just ended
        return [pid]


def proportional_set(pid: int) -> int:
    """Memory of a process in KiB, pages shared with others counted as its share of them; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def write_last(root: Path) -> None:
    """LaST's layout, with the same small picture everywhere; a number behind its end makes every file another one."""
    file = io.BytesIO()
    Image.new("RGB", (16, 32), (90, 120, 60)).save(file, "JPEG")
    picture, number = file.getvalue(), 0
    for split, count, first, folders in (
        ("train", TRAIN, 0, True),
        ("test/gallery", GALLERY, PEOPLE, True),
        ("test/query", QUERY, PEOPLE, False),
    ):
        for person in range(PEOPLE):
            pid = f"{first + person:06d}"
            folder = root / split / pid if folders else root / split
            folder.mkdir(parents=True, exist_ok=True)
            for place in range(person, count, PEOPLE):
                name = f"{pid}_001_{place:05d}_{place % 10000:04d}_01_{place % 3:03d}.jpg"
                (folder / name).write_bytes(picture + number.to_bytes(4, "big"))
                number += 1
