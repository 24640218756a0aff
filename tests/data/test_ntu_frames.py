import cv2
import numpy as np
import pytest
from PIL import Image

from rlq.data.ntu import read_ntu
from rlq.data.ntu_frames import Extraction, crop_to_person, extract_frames, middle_frame
from rlq.errors import DataError

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
    assert done == Extraction(clips=3, written=3, there_already=0, cropped=0, unreadable=()) and seen == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]
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
    assert done == Extraction(clips=3, written=1, there_already=2, cropped=0, unreadable=()) and seen == [(3, 3)]
    assert picture.read_bytes() == b"mine"


def test_other_processes_write_the_same_bytes(videos, tmp_path):
    extract_frames(videos, tmp_path / "one")
    extract_frames(videos, tmp_path / "two", processes=2)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / part).rglob("*.*")} for part in ("one", "two"))
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
    assert text[0] == f"{output}: 0 pictures written, 0 of them cropped to the person; 1 were there; 4 clips"
    assert text[1] == "3 clips gave no picture:" and text[2] == f"  {done.unreadable[0]}" and len(text) == 5
    assert [path.name for path in output.rglob("*") if path.is_file()] == [f"{name(1)}.jpg"]
    write_clip(clip(source, 3))
    clip(source, 2).unlink()
    clip(source, 4).unlink()
    assert extract_frames(source, output) == Extraction(clips=2, written=1, there_already=1, cropped=0, unreadable=())


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
    assert done.written == 1 and "gave no picture" not in done._replace(unreadable=()).to_text(tmp_path)
    size, broken = done.unreadable
    assert size.endswith(f"{name(1)}.png: is [20, 10] in size, but its frame is [{HEIGHT}, {WIDTH}]")
    assert f"{name(3)}.png: no mask that can be read" in broken
    with pytest.raises(DataError, match="nowhere is not a folder; it should hold masks"):
        extract_frames(videos, tmp_path / "frames", masks=tmp_path / "nowhere")


def test_wrong_folders_of_videos_are_explained(tmp_path, touch):
    with pytest.raises(DataError, match=r"nowhere is not a folder; it should hold clips \(.mp4, .avi\)"):
        extract_frames(tmp_path / "nowhere", tmp_path / "frames")
    with pytest.raises(DataError, match="has 0 videos, none of them of camera C003; clips lie in it as P001/A001/C003"):
        extract_frames(tmp_path, tmp_path / "frames")
    touch(tmp_path / "a", f"{name(1)}.mp4", f"._{name(2)}.mp4", "holiday.mp4")
    with pytest.raises(DataError, match=r"1 of 2 videos are not named like S001C003.*\['holiday'\]"):
        extract_frames(tmp_path / "a", tmp_path / "frames")
    touch(tmp_path / "b", f"{name(1)}.mp4", f"P001/{name(1)}.avi")
    with pytest.raises(DataError, match="is there twice, also as"):
        extract_frames(tmp_path / "b", tmp_path / "frames")


def test_a_clip_that_ends_before_its_middle_is_broken(tmp_path):
    whole = write_clip(tmp_path / "whole.avi", frames=40, first=0, codec="MJPG").read_bytes()
    short = tmp_path / "short.avi"
    short.write_bytes(whole[: len(whole) * 3 // 10])
    assert middle_frame(tmp_path / "whole.avi").shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(DataError, match=r"short.avi: only \d+ of 40 frames can be decoded"):
        middle_frame(short)
    short.write_bytes(b"no video at all")
    with pytest.raises(DataError, match=r"short.avi: no video that can be decoded \(15 bytes\)"):
        middle_frame(short)
