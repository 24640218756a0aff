"""Extract the middle frame of each clip of NTU RGB+D 120, to make the pictures that `rlq.data.readers.ntu` reads.

Clips of camera 3 are used, as by RLQ's authors: <subject>/<action>/C003/<clip>.mp4, or all in one folder. With masks
(<clip>.png, where every pixel that is not 0 belongs to the person), frames are cropped to the person. The file
rlq/frames.json in the output folder records whether its frames are cropped.
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
MARGIN = 10  # pixels around the person
SMALLEST = 100  # pixels; frames of a person less wide or high are not cropped
QUALITY = 95
RECORD = Path("rlq/frames.json")  # below the pictures
REMEDY = "delete the folder {} or name another --root"


class Extraction(NamedTuple):
    """The number of clips, and the results."""

    clips: int
    written: int
    there_already: int
    cropped: int  # of those written
    without_mask: int | None  # of those written; None if no masks were requested
    small: int  # of those written: an empty mask, or a person of less than 100 pixels
    unreadable: tuple[str, ...]  # of the others: clip or mask, and what is wrong with it

    def to_text(self, output: Path) -> str:
        """Return a summary for people, with every clip that gave no picture."""
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


class _Result(NamedTuple):
    picture: Outcome | None  # None if it was not written
    error: str = ""


def extract_frames(
    videos: Path,
    output: Path,
    *,
    masks: Path | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Extraction:
    """Write <output>/<subject>/<clip>.jpg for every clip below `videos`; existing pictures are left as they are.

    `progress` is called with the number of clips done and of all clips. Clips that cannot be read do not stop the
    others; the result lists them, and the next call tries them again. Raises DataError if no clip has a mask in
    `masks`, or if the output folder holds cropped frames and the new ones would not be cropped, or the reverse.
    """
    clips = _clips(videos)
    mask_of = {} if masks is None else _masks(masks, clips)
    jobs = [_Job(clip, mask_of.get(stem), _picture(output, stem)) for stem, clip in sorted(clips.items())]
    _record(output, cropped=masks is not None)
    todo = [job for job in jobs if not job.picture.exists()]
    existing, outcomes, errors = len(jobs) - len(todo), Counter[str](), []
    for number, result in enumerate(parallel_map(_extract, todo, processes), start=1):
        if result.picture is None:
            errors.append(result.error)
        else:
            outcomes[result.picture] += 1
        if progress is not None:
            progress(existing + number, len(jobs))
    without_mask = None if masks is None else outcomes["without mask"]
    return Extraction(
        len(jobs), outcomes.total(), existing, outcomes["cropped"], without_mask, outcomes["small"], tuple(errors)
    )


def middle_frame(clip: Path) -> np.ndarray:
    """Return frame n // 2 of n, BGR uint8 [H, W, 3]; all frames before it are decoded, because seeking is not exact."""
    with _silence():
        return _middle_frame(clip)


def crop_to_person(frame: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Return the person's box with a margin, or `frame` itself if the box is small.

    frame [H, W, 3], person [H, W] bool.
    """
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    if not len(rows):
        return frame
    (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
    if min(bottom - top, right - left) + 1 < SMALLEST:
        return frame
    return frame[max(0, top - MARGIN) : bottom + 1 + MARGIN, max(0, left - MARGIN) : right + 1 + MARGIN]


@contextmanager
def _silence() -> Iterator[None]:
    """Silence OpenCV and ffmpeg, whose messages about broken clips do not name the clip; our own report does."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once per process, when it opens its first video
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
            raise DataError(f"{clip}: not a video that can be decoded ({clip.stat().st_size} bytes)")
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
    files = _by_stem(videos, VIDEOS, "clips")
    named = {stem: (path, match) for stem, path in files.items() if (match := CLIP.fullmatch(stem))}
    misnamed = sorted(files.keys() - named.keys())
    if misnamed:
        raise DataError(
            f"{videos}: {len(misnamed)} of {len(files)} videos are not named like S001C003P001R001A001_rgb: "
            f"{misnamed[:SHOWN]}"
        )
    chosen = {stem: path for stem, (path, match) in named.items() if match["camera"] == CAMERA}
    if not chosen:
        raise DataError(
            f"{videos}: has {len(files)} videos, none of them of camera {CAMERA}; "
            "clips lie in it as P001/A001/C003/S001C003P001R001A001_rgb.mp4, or side by side"
        )
    return chosen


def _masks(folder: Path, clips: dict[str, Path]) -> dict[str, Path]:
    """Return the masks in a folder. Raises DataError if none is of these clips."""
    files = _by_stem(folder, (".png",), "masks")
    if files.keys().isdisjoint(clips):
        examples = [files[stem].name for stem in sorted(files)[:SHOWN]]
        content = f"its {len(files)} .png files are named like {examples}" if files else "it holds no .png file"
        raise DataError(
            f"{folder}: holds no mask of any of the {len(clips)} clips; masks should be named like {min(clips)}.png, "
            f"but {content}"
        )
    return files


def _record(output: Path, *, cropped: bool) -> None:
    """Record in a new folder whether its frames are cropped; refuse to mix both kinds in an existing one."""
    path, kind = output / RECORD, "cropped to masks" if cropped else "left whole"
    if not holds_ntu(output):
        write_file(path, json.dumps({"frames": kind}) + "\n")
        return
    if not path.exists():  # the pictures were not made by rlq, so their kind is unknown
        return
    try:
        frames = parsed_json(path.read_text(encoding="utf-8"))["frames"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} does not say whether the frames are cropped ({error}); {REMEDY.format(output)}"
        ) from error
    if frames != kind:
        raise DataError(f"{output}: its frames are {frames}, the new ones would be {kind}; {REMEDY.format(output)}")


def _by_stem(folder: Path, suffixes: tuple[str, ...], what: str) -> dict[str, Path]:
    """Return the files with these suffixes anywhere below a folder, by their names without suffix."""
    if not folder.is_dir():
        raise DataError(f"NTU RGB+D 120: {folder} is not a folder; it should hold {what} ({', '.join(suffixes)})")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and not is_hidden(path):
            if path.stem in files:
                raise DataError(f"{path}: exists twice, also as {files[path.stem]}; remove one of them")
            files[path.stem] = path
    return files


def _picture(output: Path, stem: str) -> Path:
    match = CLIP.fullmatch(stem)
    assert match is not None  # other names were refused before
    return output / match["pid"] / f"{stem}.jpg"


def _extract(job: _Job) -> _Result:
    """Write one picture; an error is returned as text, so that the other clips continue."""
    try:
        picture = frame = middle_frame(job.clip)
        outcome: Outcome = "without mask"
        if job.mask is not None:
            picture = crop_to_person(frame, _person(job.mask, frame.shape[:2]))
            outcome = "small" if picture is frame else "cropped"
        encoded, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not encoded:
            raise DataError(f"{job.clip}: its frame of shape {list(picture.shape)} cannot be written as JPEG")
        write_file(job.picture, data.tobytes())
    except DataError as error:
        return _Result(None, str(error))
    return _Result(outcome)


def _person(mask: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return where a mask is not 0: bool [H, W]. Palette masks are read by index, colour masks by all channels."""
    try:
        with Image.open(mask) as image:
            labels = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{mask}: the mask cannot be read ({error})") from error
    person = labels != 0 if labels.ndim == 2 else (labels[..., :3] != 0).any(axis=2)
    if person.shape != shape:
        raise DataError(f"{mask}: is {list(person.shape)} in size, but its frame is {list(shape)}")
    return person
