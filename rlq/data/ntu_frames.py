"""Take the middle frame out of each clip of NTU RGB+D 120, which makes the pictures that `rlq.data.readers.ntu` reads.

Clips of camera 3 are used, as RLQ's authors do: <subject>/<action>/C003/<clip>.mp4, or all in one folder. A frame is
cropped to its person where a mask of it is given: a picture <clip>.png, in which all but 0 is person. Which of both
the pictures of a folder are, its rlq/frames.json says.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image

from rlq.core.errors import DataError
from rlq.core.files import parsed_json, write_file
from rlq.data.parallel import parallel_map
from rlq.data.readers.listing import SHOWN, is_hidden
from rlq.data.readers.ntu import CLIP, holds_ntu

VIDEOS = (".mp4", ".avi")
CAMERA = "C003"
MARGIN = 10  # pixels kept around the person
SMALLEST = 100  # a person less wide or high is not cropped
QUALITY = 95
RECORD = Path("rlq/frames.json")  # below the pictures
REMEDY = "delete the folder {} or name another --root"


class Extraction(NamedTuple):
    """How many clips there are, and what became of them."""

    clips: int
    written: int
    there_already: int
    cropped: int  # of those written
    without_mask: int | None  # of those written; None: no masks were asked for
    small: int  # of those written: nobody in the mask, or a person of less than 100 pixels
    unreadable: tuple[str, ...]  # of the others: clip or mask, and what is wrong with it

    def to_text(self, output: Path) -> str:
        """The same for people, with every clip that gave no picture."""
        lines = [
            (
                f"{output}: {self.written} pictures written, {self.cropped} of them cropped to the person; "
                f"{self.there_already} were there; {self.clips} clips"
            )
        ]
        if self.without_mask is not None:
            lines.append(
                f"left whole: {self.without_mask} clips without a mask, {self.small} whose mask shows a person of less "
                f"than {SMALLEST} pixels in width or height"
            )
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} clips gave no picture:")
        return "\n".join([*lines, *(f"  {reason}" for reason in self.unreadable)])


class _Job(NamedTuple):
    clip: Path
    mask: Path | None
    picture: Path


Outcome = Literal["cropped", "without mask", "small"]


class _Done(NamedTuple):
    picture: Outcome | None  # None when it was not written
    error: str = ""


def extract_frames(
    videos: Path,
    output: Path,
    *,
    masks: Path | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Extraction:
    """Write <output>/<subject>/<clip>.jpg for every clip below `videos`; pictures that are there are left as they are.

    `progress` is told how many clips are done, of how many. Clips that cannot be read do not stop the others; they are
    in the result, for the caller to tell, and the next call tries just these again. Raises DataError when no clip has
    a mask in `masks`, and when pictures are there that were cropped and the new ones should not be, or the reverse.
    """
    clips = _clips(videos)
    mask_of = {} if masks is None else _masks(masks, clips)
    jobs = [_Job(clip, mask_of.get(stem), _picture(output, stem)) for stem, clip in sorted(clips.items())]
    _record(output, cropped=masks is not None)
    todo = [job for job in jobs if not job.picture.exists()]
    there, made, broken = len(jobs) - len(todo), Counter[str](), []
    for number, done in enumerate(parallel_map(_take, todo, processes), start=1):
        if done.picture is None:
            broken.append(done.error)
        else:
            made[done.picture] += 1
        if progress is not None:
            progress(there + number, len(jobs))
    without_mask = None if masks is None else made["without mask"]
    return Extraction(len(jobs), made.total(), there, made["cropped"], without_mask, made["small"], tuple(broken))


def middle_frame(clip: Path) -> np.ndarray:
    """Frame n // 2 of n, BGR uint8 [H, W, 3]; the frames before it are decoded too, as seeking is not exact."""
    with _silence():
        return _middle_frame(clip)


def crop_to_person(frame: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The person's box and a margin, or `frame` itself where the box is small: frame [H, W, 3], person [H, W] bool."""
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    if not len(rows):
        return frame
    (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
    if min(bottom - top, right - left) + 1 < SMALLEST:
        return frame
    return frame[max(0, top - MARGIN) : bottom + 1 + MARGIN, max(0, left - MARGIN) : right + 1 + MARGIN]


@contextmanager
def _silence() -> Iterator[None]:
    """What OpenCV and ffmpeg print about broken clips names none of them; our own report does."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once per process, with its first video
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def _middle_frame(clip: Path) -> np.ndarray:
    video = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    try:
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
        if count <= 0:
            raise DataError(f"{clip}: no video that can be decoded ({clip.stat().st_size} bytes)")
        for number in range(count // 2 + 1):
            if not video.grab():
                raise DataError(f"{clip}: only {number} of {count} frames can be decoded")
        decoded, frame = video.retrieve()
    finally:
        video.release()
    if not decoded:
        raise DataError(f"{clip}: frame {count // 2} of {count} cannot be decoded")
    return frame


def _clips(videos: Path) -> dict[str, Path]:
    found = _by_stem(videos, VIDEOS, "clips")
    named = {stem: (path, match) for stem, path in found.items() if (match := CLIP.fullmatch(stem))}
    odd = sorted(found.keys() - named.keys())
    if odd:
        raise DataError(
            f"{videos}: {len(odd)} of {len(found)} videos are not named like S001C003P001R001A001_rgb: {odd[:SHOWN]}"
        )
    chosen = {stem: path for stem, (path, match) in named.items() if match["camera"] == CAMERA}
    if not chosen:
        raise DataError(
            f"{videos}: has {len(found)} videos, none of them of camera {CAMERA}; "
            "clips lie in it as P001/A001/C003/S001C003P001R001A001_rgb.mp4, or side by side"
        )
    return chosen


def _masks(folder: Path, clips: dict[str, Path]) -> dict[str, Path]:
    """The masks in a folder, some of which are of these clips."""
    found = _by_stem(folder, (".png",), "masks")
    if found.keys().isdisjoint(clips):
        shown = [found[stem].name for stem in sorted(found)[:SHOWN]]
        there = f"its {len(found)} .png files are called like {shown}" if found else "it holds no .png file"
        raise DataError(
            f"{folder}: none of {len(clips)} clips has a mask there; they should be called like "
            f"{min(clips)}.png, but {there}"
        )
    return found


def _record(output: Path, *, cropped: bool) -> None:
    """Write down what the pictures of a folder will be; where some are already, refuse to mix both kinds."""
    path, wanted = output / RECORD, "cropped to masks" if cropped else "left whole"
    if not holds_ntu(output):
        write_file(path, json.dumps({"frames": wanted}) + "\n")
        return
    if not path.exists():  # somebody else's pictures: nothing is known of them
        return
    try:
        frames = parsed_json(path.read_text(encoding="utf-8"))["frames"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} does not say what the frames there are ({error}); {REMEDY.format(output)}") from error
    if frames != wanted:
        raise DataError(f"{output}: its frames are {frames}, the new ones would be {wanted}; {REMEDY.format(output)}")


def _by_stem(folder: Path, suffixes: tuple[str, ...], what: str) -> dict[str, Path]:
    """The files of some kinds anywhere below a folder, by their names without suffix."""
    if not folder.is_dir():
        raise DataError(f"NTU RGB+D 120: {folder} is not a folder; it should hold {what} ({', '.join(suffixes)})")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and not is_hidden(path):
            if path.stem in found:
                raise DataError(f"{path}: is there twice, also as {found[path.stem]}; which of them counts?")
            found[path.stem] = path
    return found


def _picture(output: Path, stem: str) -> Path:
    match = CLIP.fullmatch(stem)
    assert match is not None  # odd names were refused
    return output / match["pid"] / f"{stem}.jpg"


def _take(job: _Job) -> _Done:
    """Write one picture; an error is told as text, so that the other clips go on."""
    try:
        picture = frame = middle_frame(job.clip)
        what: Outcome = "without mask"
        if job.mask is not None:
            picture = crop_to_person(frame, _person(job.mask, frame.shape[:2]))
            what = "small" if picture is frame else "cropped"
        encoded, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not encoded:
            raise DataError(f"{job.clip}: its frame of shape {list(picture.shape)} cannot be written as JPEG")
        write_file(job.picture, data.tobytes())
    except DataError as error:
        return _Done(None, str(error))
    return _Done(what)


def _person(mask: Path, shape: tuple[int, int]) -> np.ndarray:
    """Where a mask is not 0: bool [H, W]. Palette pictures are read by index, coloured ones by all channels."""
    try:
        with Image.open(mask) as image:
            labels = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{mask}: no mask that can be read ({error})") from error
    person = labels != 0 if labels.ndim == 2 else (labels[..., :3] != 0).any(axis=2)
    if person.shape != shape:
        raise DataError(f"{mask}: is {list(person.shape)} in size, but its frame is {list(shape)}")
    return person
