"""Write synthetic data sets: PRCC's layout for the target, Celeb-reID's for the external set, with their side files."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from filelock import FileLock

from rlq.artefacts import ArtefactRanges, degrade, draw_artefact
from rlq.errors import DataError
from rlq.seeding import generator, seed_from
from rlq.synthetic.layouts import Album, CelebSpec, PrccSpec, Spec, albums
from rlq.synthetic.people import Person, sample_person
from rlq.synthetic.render import shoot
from rlq.synthetic.scene import PHOTOGRAPHER, SURVEILLANCE
from rlq.synthetic.side_files import detect, write_gender, write_keypoints, write_mask, write_people
from rlq.synthetic.wardrobe import sample_outfit

VERSION = 4  # raised whenever the same spec gives other pictures
MANIFEST = "rlq/synthetic.json"
# The paper's three artefacts, at strengths that suit pictures of 128 x 256.
ARTEFACTS = ArtefactRanges(
    pixelation=(22, 60),
    gaussian_kernel=(5, 11),
    gaussian_sigma="from_kernel",
    motion_kernel=(5, 10),
    mix={"pixelation": 0.4, "gaussian": 0.35, "motion": 0.25},
)
Progress = Callable[[int, int], None]  # pictures done, pictures in all


def ensure(folder: Path, spec: Spec, processes: int = 1, progress: Progress | None = None) -> Path:
    """Make the set unless the folder holds just this one; safe when several processes ask at once."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if not _is_built(folder, spec):
            _write(folder, spec, processes, progress)
    return folder


def write_prcc(folder: Path, spec: PrccSpec, processes: int = 1, progress: Progress | None = None) -> Path:
    """Write the target set, in place of an older synthetic one."""
    return _write(folder, spec, processes, progress)


def write_celeb_reid(folder: Path, spec: CelebSpec, processes: int = 1, progress: Progress | None = None) -> Path:
    """Write the external set, in place of an older synthetic one."""
    return _write(folder, spec, processes, progress)


def who(spec: Spec, album: Album) -> Person:
    """The person of an album."""
    return sample_person(generator(spec.seed, album.stream, album.pid, "person"))


def _manifest(spec: Spec) -> dict[str, Any]:
    return {"version": VERSION, "layout": type(spec).__name__, "spec": asdict(spec)}


def _is_built(folder: Path, spec: Spec) -> bool:
    path = folder / MANIFEST
    if not path.is_file():
        return False
    try:
        return json.loads(path.read_text(encoding="utf-8")) == _manifest(spec)
    except ValueError:
        return False


def _write(folder: Path, spec: Spec, processes: int, progress: Progress | None) -> Path:
    folder = folder.absolute()
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists and is not a synthetic data set; name another folder or move it away")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        draft.chmod(0o755)
        _fill(draft, spec, processes, progress)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # nothing half-written stays behind
    return folder


def _fill(root: Path, spec: Spec, processes: int, progress: Progress | None) -> None:
    todo = albums(spec)
    total, done = sum(len(album.pictures) for album in todo), 0
    for path in {root / picture.path for album in todo for picture in album.pictures}:
        path.parent.mkdir(parents=True, exist_ok=True)
    (root / "rlq").mkdir()
    entries: list[dict[str, Any]] = []
    for album, detections in zip(todo, _take_all(root, spec, todo, processes), strict=True):
        entries += detections
        done += len(album.pictures)
        if progress is not None:
            progress(done, total)
    write_keypoints(root / "rlq/keypoints.json", entries)
    rows = [(category, album.pid, who(spec, album)) for album in todo for category in album.categories]
    write_gender(root / "rlq/gender.csv", rows)
    write_people(root / "rlq/people.json", rows)
    (root / MANIFEST).write_text(json.dumps(_manifest(spec), indent=1), encoding="utf-8")


def _take_all(root: Path, spec: Spec, todo: list[Album], processes: int) -> Iterator[list[dict[str, Any]]]:
    jobs = [(root, spec, album) for album in todo]
    if processes <= 1:
        yield from map(_take, jobs)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.map(_take, jobs, chunksize=2)


def _take(job: tuple[Path, Spec, Album]) -> list[dict[str, Any]]:
    """Write all pictures of one person; return what the pose detector says of them."""
    root, spec, album = job
    person = who(spec, album)
    entries = []
    for picture in album.pictures:
        outfit = sample_outfit(generator(spec.seed, album.stream, album.pid, "outfit", picture.outfit), person.gender)
        camera = SURVEILLANCE.get(picture.camera, PHOTOGRAPHER)
        rng = np.random.default_rng(seed_from(spec.seed, album.stream, picture.path))
        shot = shoot(person, outfit, camera, rng)
        image, bad = shot.picture, isinstance(spec, PrccSpec) and bool(rng.random() < spec.artefacts)
        if bad:
            image = degrade(image, draw_artefact(rng, ARTEFACTS))
            image = cv2.resize(image, shot.picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(80, 93))]
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
        (root / picture.path).write_bytes(encoded.tobytes())
        if picture.masked:
            path = (root / "rlq/masks" / picture.path).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, shot.mask)
        entries += detect(picture.path, shot.keypoints, bad, rng)
    return entries
