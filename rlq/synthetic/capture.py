"""Take the pictures of one person and write them, with their parsing masks."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rlq.core.errors import DataError
from rlq.core.seeding import generator, seed_from
from rlq.data.clothes import usable
from rlq.data.degradation import DegradationRanges, degrade, draw_degradation
from rlq.data.lip import LOWER, UPPER
from rlq.data.masks import write_mask
from rlq.synthetic.canvas import HEIGHT, WIDTH
from rlq.synthetic.layouts.albums import Album, Picture, Spec
from rlq.synthetic.layouts.ntu import NtuSpec
from rlq.synthetic.people import Person, sample_person
from rlq.synthetic.render import Shot, shoot
from rlq.synthetic.scene import PHOTOGRAPHER, SURVEILLANCE, backdrop
from rlq.synthetic.side_files import detect
from rlq.synthetic.tool_files import to_atr, to_pascal, write_rgb_mask, write_small_palette_mask
from rlq.synthetic.wardrobe import sample_outfit

# The paper's three degradations, at strengths that suit pictures of 128 x 256.
DEGRADATIONS = DegradationRanges(
    pixelation=(22, 60),
    gaussian_kernel=(5, 11),
    gaussian_sigma="from_kernel",
    motion_kernel=(5, 10),
    mix={"pixelation": 0.4, "gaussian": 0.35, "motion": 0.25},
)
ROOM = (480, 640)  # height and width of a clip's frames
RATE = 30  # frames per second


@dataclass
class AlbumResult:
    """The results of taking one person's pictures."""

    entries: list[dict[str, Any]] = field(default_factory=list)  # of the pose detector
    bad_upper: list[Picture] = field(default_factory=list)  # pictures whose masks show too little of the garment
    bad_lower: list[Picture] = field(default_factory=list)


def album_person(spec: Spec, album: Album) -> Person:
    """Return the person of an album."""
    return sample_person(generator(spec.seed, album.stream, album.pid, "person"))


def take_pictures(root: Path, spec: Spec, album: Album) -> AlbumResult:
    """Write all pictures or clips of an album."""
    person, result = album_person(spec, album), AlbumResult()
    for picture in album.pictures:
        if isinstance(spec, NtuSpec):
            _take_clip(root, spec, album, picture, person)
        else:
            _take_picture(root, spec, album, picture, person, result)
    return result


def _take_picture(root: Path, spec: Spec, album: Album, picture: Picture, person: Person, result: AlbumResult) -> None:
    rng = _generator(spec, album, picture)
    shot = _shoot(spec, album, picture, person, rng)
    share = getattr(spec, "artefacts", None)  # photographs are never degraded
    image, is_degraded = shot.picture, share is not None and bool(rng.random() < share)
    if is_degraded:
        image = degrade(image, draw_degradation(rng, DEGRADATIONS))
        image = cv2.resize(image, shot.picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    height, width = _size(spec, album, picture)
    _write_picture(root / picture.path, _resized(image, height, width), quality=int(rng.integers(80, 93)))
    if picture.masked:
        mask = cv2.resize(shot.mask, (width, height), interpolation=cv2.INTER_NEAREST)
        _write_parsing(root / "rlq/masks" / picture.path, mask, spec.oddities)
    for labels, unusable in ((UPPER, result.bad_upper), (LOWER, result.bad_lower)):
        if not usable(shot.mask, labels):
            unusable.append(picture)
    if picture.tracklet:  # the pictures of a tracklet share a generator, but the detector's errors are independent
        rng = generator(spec.seed, album.stream, picture.path, "detector")
    for entry in detect(picture.path, shot.keypoints, is_degraded, rng):
        result.entries.append(_scaled(entry, height / HEIGHT, width / WIDTH))


def _generator(spec: Spec, album: Album, picture: Picture) -> np.random.Generator:
    """Return a picture's generator; those of a tracklet start equally, so that place, view and light stay."""
    return np.random.default_rng(seed_from(spec.seed, album.stream, picture.tracklet or picture.path))


def _shoot(
    spec: Spec, album: Album, picture: Picture, person: Person, rng: np.random.Generator, later: float = 0.0
) -> Shot:
    """Draw a picture of an album; `later` is added to the phase of the walk, in turns of the gait."""
    outfit = sample_outfit(generator(spec.seed, album.stream, album.pid, "outfit", picture.outfit), person.gender)
    camera = SURVEILLANCE.get(picture.camera, PHOTOGRAPHER)
    return shoot(person, outfit, camera, rng, None if picture.phase is None else picture.phase + later)


def _size(spec: Spec, album: Album, picture: Picture) -> tuple[int, int]:
    """Return height and width."""
    height, width = spec.picture_size or (HEIGHT, WIDTH)
    if "sizes_vary" in spec.oddities:
        factor = generator(spec.seed, album.stream, picture.path, "size").uniform(0.15, 1.5)
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
    return height, width


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _scaled(entry: dict[str, Any], down: float, across: float) -> dict[str, Any]:
    """Scale a detection to the resized picture."""
    if down == across == 1:
        return entry
    joints = np.array(entry["keypoints"]).reshape(-1, 3) * (across, down, 1)
    box = np.array(entry["box"]) * (across, down, across, down)
    return entry | {"keypoints": joints.round(4).ravel().tolist(), "box": box.round(2).tolist()}


def _write_picture(path: Path, image: np.ndarray, quality: int) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    _, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    path.write_bytes(encoded.tobytes())


def _write_parsing(picture: Path, mask: np.ndarray, oddities: frozenset[str]) -> None:
    """Write a mask; `picture` is the picture's path below rlq/masks."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    if "atr_masks" in oddities:
        mask = to_atr(mask)
    if "pascal_masks" in oddities:
        mask = to_pascal(mask)
    if "npy_masks" in oddities:
        np.save(picture.with_suffix(".npy"), mask)
    elif "rgb_masks" in oddities:
        write_rgb_mask(picture.with_suffix(".png"), mask)
    elif "pascal_masks" in oddities:
        write_small_palette_mask(picture.with_suffix(".png"), mask)
    else:
        write_mask(picture.with_suffix(".png"), mask)


def _take_clip(root: Path, spec: NtuSpec, album: Album, clip: Picture, person: Person) -> None:
    """Write a clip of a person walking on the spot in a room, and the mask of the person in the middle frame."""
    at = generator(spec.seed, album.stream, clip.path, "room")
    room = cv2.resize(backdrop("corridor", int(at.integers(6))), ROOM[::-1], interpolation=cv2.INTER_LINEAR)
    high, wide = round(HEIGHT * spec.figure), round(WIDTH * spec.figure)
    top, left = int(at.integers(ROOM[0] - high + 1)), int(at.integers(ROOM[1] - wide + 1))
    height, width = spec.picture_size or ROOM
    frames, masks = [], []
    for number in range(spec.frames):
        shot = _shoot(spec, album, clip, person, _generator(spec, album, clip), number / (2 * spec.frames))
        figure = cv2.resize(shot.mask, (wide, high), interpolation=cv2.INTER_NEAREST) > 0
        frame, mask = room.copy(), np.zeros(ROOM, np.uint8)
        piece = frame[top : top + high, left : left + wide]
        piece[figure] = _resized(shot.picture, high, wide)[figure]
        mask[top : top + high, left : left + wide] = 255 * figure
        frames.append(_resized(frame, height, width))
        masks.append(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST))
    _write_clip(root / clip.path, frames)
    if clip.masked:
        (root / "masks").mkdir(exist_ok=True)
        (root / f"masks/{clip.key}.png").write_bytes(cv2.imencode(".png", masks[len(masks) // 2])[1].tobytes())


def _write_clip(path: Path, frames: list[np.ndarray]) -> None:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (width, height))
    if not writer.isOpened():
        raise DataError(f"{path} cannot be written: this OpenCV has no MPEG-4 encoder, which the clips of NTU need")
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
