"""Take the middle frame out of each clip of NTU RGB+D 120, which makes the pictures that `rlq.data.ntu` reads.

Clips of camera 3 are used, as RLQ's authors do: <subject>/<action>/C003/<clip>.mp4, or all in one folder. A frame is
cropped to its person where a mask of it is given: a picture <clip>.png, in which all but 0 is person.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from rlq.data.listing import SHOWN, is_hidden
from rlq.data.ntu import CLIP
from rlq.data.parallel import parallel_map
from rlq.errors import DataError
from rlq.files import written_whole

VIDEOS = (".mp4", ".avi")
CAMERA = "C003"
MARGIN = 10  # pixels kept around the person
SMALLEST = 100  # a person less wide or high is not cropped
QUALITY = 95


class Extraction(NamedTuple):
    """How many clips there are, and what became of them."""

    clips: int
    written: int
    there_already: int
    cropped: int  # of those written
    unreadable: tuple[str, ...]  # of the others: clip or mask, and what is wrong with it

    def to_text(self, output: Path) -> str:
        """The same for people, with every clip that gave no picture."""
        lines = [
            f"{output}: {self.written} pictures written, {self.cropped} of them cropped to the person; "
            f"{self.there_already} were there; {self.clips} clips"
        ]
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} clips gave no picture:")
        return "\n".join([*lines, *(f"  {reason}" for reason in self.unreadable)])


class _Job(NamedTuple):
    clip: Path
    mask: Path | None
    picture: Path


class _Done(NamedTuple):
    cropped: bool
    error: str  # "" when the picture was written


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
    in the result, for the caller to tell, and the next call tries just these again.
    """
    clips = _clips(videos)
    mask_of = {} if masks is None else _by_stem(masks, (".png",), "masks")
    jobs = [_Job(clip, mask_of.get(stem), _picture(output, stem)) for stem, clip in sorted(clips.items())]
    todo = [job for job in jobs if not job.picture.exists()]
    there, cropped, broken = len(jobs) - len(todo), 0, []
    for number, done in enumerate(parallel_map(_take, todo, processes), start=1):
        cropped += done.cropped
        if done.error:
            broken.append(done.error)
        if progress is not None:
            progress(there + number, len(jobs))
    return Extraction(len(jobs), len(todo) - len(broken), there, cropped, tuple(broken))


def middle_frame(clip: Path) -> np.ndarray:
    """Frame n // 2 of n, BGR uint8 [H, W, 3]; the frames before it are decoded too, as seeking is not exact."""
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


def crop_to_person(frame: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The person's box and a margin, or all of it where the box is small: frame [H, W, 3], person [H, W] bool."""
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    if not len(rows):
        return frame
    (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
    if min(bottom - top, right - left) + 1 < SMALLEST:
        return frame
    return frame[max(0, top - MARGIN) : bottom + 1 + MARGIN, max(0, left - MARGIN) : right + 1 + MARGIN]


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
        frame = middle_frame(job.clip)
        picture = frame if job.mask is None else crop_to_person(frame, _person(job.mask, frame.shape[:2]))
        encoded, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not encoded:
            raise DataError(f"{job.clip}: its frame of shape {list(picture.shape)} cannot be written as JPEG")
        with written_whole(job.picture) as partial:
            partial.write_bytes(data.tobytes())
    except DataError as error:
        return _Done(False, str(error))
    return _Done(picture.size < frame.size, "")


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
