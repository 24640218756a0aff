"""Write synthetic data sets in the layouts of real ones, with the side files of authors and tools."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
from filelock import FileLock

from rlq.core.errors import DataError
from rlq.core.files import folder_written_whole, parsed_json, remove_partial
from rlq.synthetic.author_lists import cluster_detections, write_bad_masks, write_pose_clusters
from rlq.synthetic.capture import AlbumResult, album_person, take_pictures
from rlq.synthetic.damage import damage_files
from rlq.synthetic.layouts.albums import Album, Facts, Spec
from rlq.synthetic.layouts.catalogue import albums, layout_of
from rlq.synthetic.side_files import write_gender, write_people
from rlq.synthetic.tool_files import write_keypoints

VERSION = 4  # increased whenever the same spec gives other pictures
MANIFEST = "rlq/synthetic.json"
BAD_MASKS = {"bad_mask_lists", "names_of_other_splits", "no_newline_at_end"}  # the last two are variants of the first
POSE_CLUSTERS = {"pose_clusters", "float_labels"}
Progress = Callable[[int, int], None]  # takes the number of pictures done and of all pictures


def ensure_written(folder: Path, spec: Spec, processes: int = 1, progress: Progress | None = None) -> Path:
    """Write the data set unless the folder holds it already; several processes may call this at the same time."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        remove_partial(folder.parent, folder.name)
        if not _is_built(folder, spec):
            _write(folder, spec, processes, progress)
    return folder


def write_set(folder: Path, spec: Spec, processes: int = 1, progress: Progress | None = None) -> Path:
    """Write the data set whole or not at all; it replaces an older synthetic one."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _write(folder, spec, processes, progress)
    return folder


def _alone(folder: Path) -> FileLock:
    """Return the lock that allows one process to write the data set."""
    return FileLock(folder.parent / f".{folder.name}.lock")


def _write(folder: Path, spec: Spec, processes: int, progress: Progress | None) -> None:
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists and is not a synthetic data set; name another folder or move it away")
    remove_partial(folder.parent, folder.name)
    with folder_written_whole(folder) as draft:
        _fill(draft, spec, processes, progress)


def _manifest(spec: Spec) -> dict[str, Any]:
    """Return what the data set was made from; a default size and an empty list of oddities are left out."""
    values = asdict(spec)
    seed, size, oddities = (values.pop(name) for name in ("seed", "picture_size", "oddities"))
    values["seed"] = seed
    if size is not None:
        values["picture_size"] = list(size)
    if oddities:
        values["oddities"] = sorted(oddities)
    return {"version": VERSION, "layout": type(spec).__name__, "spec": values}


def _is_built(folder: Path, spec: Spec) -> bool:
    path = folder / MANIFEST
    if not path.is_file():
        return False
    try:
        return parsed_json(path.read_text(encoding="utf-8")) == _manifest(spec)
    except ValueError:
        return False


def _fill(root: Path, spec: Spec, processes: int, progress: Progress | None) -> None:
    todo = albums(spec)
    total, done = sum(len(album.pictures) for album in todo), 0
    for path in {root / picture.path for album in todo for picture in album.pictures}:
        path.parent.mkdir(parents=True, exist_ok=True)
    (root / "rlq").mkdir()
    results: list[AlbumResult] = []
    for album, result in zip(todo, _take_all(root, spec, todo, processes), strict=True):
        results.append(result)
        done += len(album.pictures)
        if progress is not None:
            progress(done, total)
    _write_side_files(root, spec, todo, results)
    damage_files(root, spec, todo)
    (root / MANIFEST).write_text(json.dumps(_manifest(spec), indent=1), encoding="utf-8")


def _take_all(root: Path, spec: Spec, todo: list[Album], processes: int) -> Iterator[AlbumResult]:
    if processes <= 1:
        yield from map(take_pictures, repeat(root), repeat(spec), todo)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.map(take_pictures, repeat(root), repeat(spec), todo, chunksize=2)


def _write_side_files(root: Path, spec: Spec, todo: list[Album], results: list[AlbumResult]) -> None:
    folder, layout = root / "rlq", layout_of(spec)
    entries = [entry for result in results for entry in result.entries]
    poses: dict[str, int] = {}
    if layout.pictures:
        write_keypoints(folder / "keypoints.json", entries, spec.oddities)
        poses = _write_pose_clusters(folder, spec, todo, entries)
    if BAD_MASKS & spec.oddities:
        write_bad_masks(folder, spec, results)
    people = [album_person(spec, album) for album in todo]
    rows = [(category, album, person) for album, person in zip(todo, people) for category in album.categories]
    write_gender(folder / "gender.csv", [(category, album.list_id, person) for category, album, person in rows])
    write_people(folder / "people.json", [(category, album.pid, person) for category, album, person in rows])
    layout.write_lists(root, spec, [Facts(album, person, poses) for album, person in zip(todo, people)])


def _write_pose_clusters(folder: Path, spec: Spec, todo: list[Album], entries: list[dict[str, Any]]) -> dict[str, int]:
    """Return each path's cluster; training and test are clustered separately, as in the published files."""
    poses: dict[str, int] = {}
    for name, category, training in (("pose_clusters", "train", True), ("pose_clusters_test", "test", False)):
        pictures = [
            picture
            for album in todo
            for picture in album.pictures
            if (picture.split == "train") == training and picture.split != "val"
        ]
        clusters = cluster_detections(pictures, entries)
        if POSE_CLUSTERS & spec.oddities:
            labels = {picture.key: clusters[picture.path] for picture in pictures}
            write_pose_clusters(folder / f"{name}.csv", category, labels, floats="float_labels" in spec.oddities)
        poses |= clusters
    return poses
