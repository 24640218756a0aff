import json
import re

import cv2
import numpy as np
import pytest
from naming import assert_names
from PIL import Image

from rlq.core.errors import DataError
from rlq.data.ntu_frames import Extraction, crop_to_person, extract_frames, middle_frame
from rlq.data.readers.ntu import read_ntu

HEIGHT, WIDTH = 240, 320


def write_clip(path, frames=5, first=20, codec="mp4v"):
    """Frame n is grey of level first + 40 n, modulo 256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (WIDTH, HEIGHT))
    for n in range(frames):
        video.write(np.full((HEIGHT, WIDTH, 3), (first + 40 * n) % 256, np.uint8))
    video.release()
    return path


def name(subject=1, camera=3, action=1):
    return f"S001C{camera:03d}P{subject:03d}R001A{action:03d}_rgb"


def clip(folder, subject=1, camera=3, action=1):
    return folder / f"P{subject:03d}/A{action:03d}/C{camera:03d}/{name(subject, camera, action)}.mp4"


def mask(folder, subject, box=None, action=1):
    """A mask with a person in this box: rows and columns, from and to."""
    person = np.zeros((HEIGHT, WIDTH), np.uint8)
    if box is not None:
        person[box[0] : box[1], box[2] : box[3]] = 1
    folder.mkdir(exist_ok=True)
    Image.fromarray(person).save(folder / f"{name(subject, action=action)}.png")


def whole_frames(clips, written, there=0):
    """What comes of clips that can all be read, without masks."""
    return Extraction(clips, written, there, cropped=0, without_mask=None, small=0, unreadable=())


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_clip(clip(folder, 1))
    write_clip(clip(folder, 2, action=7), frames=4)
    write_clip(clip(folder, 2, camera=1))
    write_clip(folder / f"{name(3)}.mp4", frames=1)
    return folder


def test_the_middle_frame_of_each_clip_of_camera_3_is_taken(videos, tmp_path):
    seen = []
    done = extract_frames(videos, tmp_path, progress=lambda *numbers: seen.append(numbers))
    assert done == whole_frames(clips=3, written=3) and seen == [(1, 3), (2, 3), (3, 3)]
    levels = {path.stem: cv2.imread(str(path)).mean() for path in sorted(tmp_path.rglob("*.jpg"))}
    wanted = {name(1): 20 + 2 * 40, name(2, action=7): 20 + 2 * 40, name(3): 20}
    assert levels == pytest.approx(wanted, abs=4)
    assert [record.pid for record in read_ntu(tmp_path).train] == ["P001", "P002", "P003"]


def test_pictures_that_are_there_are_left_as_they_are(videos, tmp_path):
    extract_frames(videos, tmp_path)
    picture = tmp_path / f"P001/{name(1)}.jpg"
    picture.write_bytes(b"mine")
    (tmp_path / f"P003/{name(3)}.jpg").unlink()
    seen = []
    done = extract_frames(videos, tmp_path, progress=lambda *numbers: seen.append(numbers))
    assert done == whole_frames(clips=3, written=1, there=2) and seen == [(3, 3)]
    assert picture.read_bytes() == b"mine"


def test_other_processes_write_the_same_bytes(videos, tmp_path):
    extract_frames(videos, tmp_path / "one")
    extract_frames(videos, tmp_path / "two", processes=2)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / part).rglob("*.jpg")} for part in ("one", "two"))
    assert one == two and len(one) == 3


def test_every_broken_clip_is_told_and_the_others_are_done(videos, tmp_path):
    source, output = tmp_path / "videos", tmp_path / "frames"
    write_clip(clip(source, 1))
    whole = clip(source, 1).read_bytes()
    for subject, data in ((2, b""), (3, b"no video"), (4, whole[: len(whole) // 2])):
        clip(source, subject).parent.mkdir(parents=True)
        clip(source, subject).write_bytes(data)
    for there in (0, 1):
        done = extract_frames(source, output)
        assert done[:4] == (4, 1 - there, there, 0)
        assert [reason.split(": ")[0] for reason in done.unreadable] == [str(clip(source, n)) for n in (2, 3, 4)]
    text = done.to_text(output).splitlines()
    assert text[0].startswith(str(output)) and numbers(text[0], output) == [0, 0, 1, 4]
    assert numbers(text[1]) == [3] and text[2] == f"  {done.unreadable[0]}" and len(text) == 5
    assert {path.name for path in output.rglob("*") if path.is_file()} == {f"{name(1)}.jpg", "frames.json"}
    write_clip(clip(source, 3))
    clip(source, 2).unlink()
    clip(source, 4).unlink()
    assert extract_frames(source, output) == whole_frames(clips=2, written=1, there=1)


def test_a_frame_is_cropped_to_its_person_and_a_margin(tmp_path):
    frame = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32).reshape(HEIGHT, WIDTH, 3)
    person = np.zeros((HEIGHT, WIDTH), bool)
    person[5:200, 60] = person[100, 60:160] = True
    assert np.array_equal(crop_to_person(frame, person), frame[0:210, 50:170])
    person[:, 159] = False  # 99 columns
    assert crop_to_person(frame, person) is frame
    assert crop_to_person(frame, np.zeros_like(person)) is frame
    person[:] = True
    assert np.array_equal(crop_to_person(frame, person), frame)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "1"])
def test_masks_of_every_kind_crop(videos, tmp_path, mode):
    person = np.zeros((HEIGHT, WIDTH), np.uint8)
    person[20:180, 100:220] = 1
    if mode == "P":
        image = Image.fromarray(person, mode="P")
        image.putpalette([255, 255, 255, 0, 0, 0])  # the background is white, and still 0
    elif mode == "1":
        image = Image.fromarray(person * 255).convert("1")
    else:
        image = Image.fromarray(np.dstack([0 * person, person, 0 * person]) if mode == "RGB" else person)
    (tmp_path / "masks/P001").mkdir(parents=True)
    image.save(tmp_path / f"masks/P001/{name(1)}.png")
    done = extract_frames(videos, tmp_path / "frames", masks=tmp_path / "masks")
    assert (done.written, done.cropped) == (3, 1)
    assert cv2.imread(str(tmp_path / f"frames/P001/{name(1)}.jpg")).shape == (180, 140, 3)
    assert cv2.imread(str(tmp_path / f"frames/P003/{name(3)}.jpg")).shape == (HEIGHT, WIDTH, 3)


def test_a_mask_of_another_size_or_none_at_all_is_told(videos, tmp_path):
    (tmp_path / "masks").mkdir()
    Image.new("L", (10, 20)).save(tmp_path / f"masks/{name(1)}.png")
    (tmp_path / f"masks/{name(3)}.png").write_bytes(b"no picture")
    done = extract_frames(videos, tmp_path / "frames", masks=tmp_path / "masks")
    told, untold = (one.to_text(tmp_path).splitlines() for one in (done, done._replace(unreadable=())))
    assert done.written == 1 and len(told) == len(untold) + 3
    size, broken = done.unreadable
    assert_names(size, f"{name(1)}.png", "[20, 10]", f"[{HEIGHT}, {WIDTH}]")
    assert_names(broken, f"{name(3)}.png")
    with pytest.raises(DataError, match="nowhere"):
        extract_frames(videos, tmp_path / "frames", masks=tmp_path / "nowhere")


def test_wrong_folders_of_videos_are_explained(tmp_path, touch):
    with pytest.raises(DataError) as raised:
        extract_frames(tmp_path / "nowhere", tmp_path / "frames")
    assert_names(raised.value, tmp_path / "nowhere", ".mp4", ".avi")
    with pytest.raises(DataError, match=r"\b0\b") as raised:
        extract_frames(tmp_path, tmp_path / "frames")
    assert_names(raised.value, tmp_path, "C003", "P001/A001/C003")
    touch(tmp_path / "a", f"{name(1)}.mp4", f"._{name(2)}.mp4", "holiday.mp4")
    with pytest.raises(DataError, match=r"(?=.*\b1\b)(?=.*\b2\b)") as raised:
        extract_frames(tmp_path / "a", tmp_path / "frames")
    assert_names(raised.value, tmp_path / "a", "S001C003", "['holiday']")
    touch(tmp_path / "b", f"{name(1)}.mp4", f"P001/{name(1)}.avi")
    with pytest.raises(DataError) as raised:
        extract_frames(tmp_path / "b", tmp_path / "frames")
    assert_names(raised.value, tmp_path / f"b/{name(1)}.mp4", tmp_path / f"b/P001/{name(1)}.avi")


def test_a_clip_that_ends_before_its_middle_is_broken(tmp_path):
    whole = write_clip(tmp_path / "whole.avi", frames=40, first=0, codec="MJPG").read_bytes()
    short = tmp_path / "short.avi"
    short.write_bytes(whole[: len(whole) * 3 // 10])
    assert middle_frame(tmp_path / "whole.avi").shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(DataError, match=r"short\.avi.*\b\d+\b.*\b40\b"):
        middle_frame(short)
    short.write_bytes(b"no video at all")
    with pytest.raises(DataError, match=r"short\.avi.*\b15\b"):
        middle_frame(short)


def test_pictures_left_whole_are_counted_by_their_reason(videos, tmp_path):
    masks, output = tmp_path / "masks", tmp_path / "frames"
    mask(masks, 1, (20, 180, 100, 220))
    mask(masks, 2, (20, 180, 100, 199), action=7)
    done = extract_frames(videos, output, masks=masks)
    assert done == Extraction(3, 3, 0, cropped=1, without_mask=1, small=1, unreadable=())
    counted, whole = done.to_text(output).splitlines()
    assert counted.startswith(str(output)) and numbers(counted, output) == [0, 1, 3, 3]
    assert numbers(whole) == [1, 1, 100]
    (output / f"P002/{name(2, action=7)}.jpg").unlink()
    mask(masks, 2, action=7)  # nobody
    assert extract_frames(videos, output, masks=masks) == Extraction(3, 1, 2, 0, 0, 1, ())
    assert len(extract_frames(videos, tmp_path / "other").to_text(output).splitlines()) == 1


def test_masks_of_other_clips_only_are_refused_before_anything_is_written(videos, tmp_path):
    masks, output = tmp_path / "masks", tmp_path / "frames"
    masks.mkdir()
    with pytest.raises(DataError, match=r"\b3\b") as raised:
        extract_frames(videos, output, masks=masks)
    assert_names(raised.value, masks, f"{name(1)}.png")
    mask(masks, 5)
    mask(masks, 4)
    with pytest.raises(DataError, match=r"(?=.*\b3\b)(?=.*\b2\b)") as raised:
        extract_frames(videos, output, masks=masks)
    assert_names(raised.value, masks, f"{name(1)}.png", f"['{name(4)}.png', '{name(5)}")
    assert not output.exists()
    mask(masks, 3)
    assert extract_frames(videos, output, masks=masks).without_mask == 2
    write_clip(clip(tmp_path / "videos", 3))
    write_clip(clip(tmp_path / "videos", 6))  # the only one left, without a mask; the folder is the right one
    assert extract_frames(tmp_path / "videos", output, masks=masks)[:5] == (2, 1, 1, 0, 1)


def test_cropped_and_whole_frames_are_never_mixed(videos, tmp_path):
    masks, whole, cropped = tmp_path / "masks", tmp_path / "whole", tmp_path / "cropped"
    mask(masks, 1, (20, 180, 100, 220))
    extract_frames(videos, whole)
    extract_frames(videos, cropped, masks=masks)
    before = files(tmp_path)
    with pytest.raises(DataError) as raised:
        extract_frames(videos, whole, masks=masks)
    assert_names(raised.value, f"{whole}:", "--root")
    with pytest.raises(DataError) as raised:
        extract_frames(videos, cropped)
    assert_names(raised.value, f"{cropped}:", "--root")
    assert files(tmp_path) == before
    record = cropped / "rlq/frames.json"
    assert json.loads(record.read_text()) == {"frames": "cropped to masks"}
    assert len(read_ntu(cropped).train) == 3
    for text in ("", "[]", "{}"):
        record.write_text(text)
        with pytest.raises(DataError) as raised:
            extract_frames(videos, cropped, masks=masks)
        assert_names(raised.value, record, "--root")


def test_what_is_recorded_counts_only_beside_pictures(videos, tmp_path):
    broken, output = clip(tmp_path / "videos", 1), tmp_path / "frames"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"")
    assert extract_frames(tmp_path / "videos", output).written == 0
    mask(tmp_path / "masks", 1, (20, 180, 100, 220))
    assert extract_frames(videos, output, masks=tmp_path / "masks").cropped == 1
    (output / "rlq/frames.json").unlink()  # pictures that somebody else made
    assert extract_frames(videos, output) == whole_frames(clips=3, written=0, there=3)
    assert not (output / "rlq/frames.json").exists()


def test_broken_clips_are_named_by_us_alone(tmp_path, capfd):
    source = tmp_path / "videos"
    good = write_clip(clip(source, 1)).read_bytes()
    short = write_clip(source / f"{name(2)}.avi", frames=40, codec="MJPG")
    short.write_bytes(short.read_bytes()[: short.stat().st_size * 3 // 10])
    for subject, data in ((3, b""), (4, good[: len(good) // 2])):
        clip(source, subject).parent.mkdir(parents=True)
        clip(source, subject).write_bytes(data)
    level = cv2.utils.logging.getLogLevel()
    capfd.readouterr()
    # in processes of their own, as ffmpeg's level is read with the first video, which is past in this one
    done = extract_frames(source, tmp_path / "frames", processes=2)
    assert len(done.unreadable) == 3 and capfd.readouterr() == ("", "")
    with pytest.raises(DataError) as raised:
        middle_frame(clip(source, 3))
    assert_names(raised.value, clip(source, 3))
    assert cv2.utils.logging.getLogLevel() == level


def numbers(line, output=""):
    """The numbers in a line, least first; those in the folder's own name do not count."""
    return sorted(int(number) for number in re.findall(r"\b\d+\b", line.removeprefix(str(output))))


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
