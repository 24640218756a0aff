import os

import numpy as np
import pytest
import torch
from naming import assert_names
from tiny import CPU, noise_data, tiny_settings, tiny_teacher

from rlq.core.console import Console
from rlq.core.errors import DataError, SettingsError
from rlq.data.picture_source import PictureSource
from rlq.data.pictures import read_picture
from rlq.data.transforms import TestTransform
from rlq.methods.rlq import teacher_features
from rlq.methods.rlq.teacher_features import CachedFeatures, cached_features

QUIET = Console(quiet=True)


@pytest.fixture
def paths(tmp_path):
    return [record.path for record in noise_data(tmp_path / "noise").train]


def kept(paths, folder, *, seed=7, settings=None):
    settings = settings or tiny_settings()
    source = PictureSource.of(settings.data, CPU, QUIET)
    return cached_features(tiny_teacher(settings, seed), paths, folder / "cache", source)


def test_features_are_the_teachers_of_the_whole_picture_by_path(paths, tmp_path):
    settings = tiny_settings()
    teacher, some = tiny_teacher(settings), [str(paths[5]), str(paths[0]), str(paths[5])]
    found = kept(paths, tmp_path).of(some, torch.device("cpu"))
    assert found.keys() == {"cal", "bot"}
    transform = TestTransform(settings.data.size)
    pictures = torch.stack([torch.from_numpy(transform(read_picture(path))) for path in (paths[5], paths[0], paths[5])])
    with torch.inference_mode():
        wanted = teacher.branch_features(pictures)
    for name, features in wanted.items():
        torch.testing.assert_close(found[name], features, rtol=1e-4, atol=1e-4)
    assert (found["cal"][0] - found["cal"][1]).abs().max() > 0.01


def test_they_are_computed_once_for_a_teacher_and_pictures_in_their_state(paths, tmp_path, monkeypatch):
    files = lambda: sorted(path.name for path in (tmp_path / "cache").glob("*.npy"))  # noqa: E731
    kept(paths, tmp_path)
    (first,) = files()

    def never(*given):
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(teacher_features, "_write", never)
        kept(paths, tmp_path)
    kept(paths, tmp_path, seed=8)
    assert len(files()) == 2
    paths[3].write_bytes(paths[4].read_bytes() + b" ")
    kept(paths, tmp_path)
    assert len(files()) == 3 and first in files()


def test_without_room_it_is_told_before_anything_is_computed(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(teacher_features.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    with pytest.raises(DataError, match=r"\b24\b.* GB\b.*\btad\.teacher_features=each_step\b"):
        kept(paths, tmp_path)
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_a_worker_that_hangs_is_given_up_after_the_runs_own_patience(paths, tmp_path):
    paths[3].unlink()
    os.mkfifo(paths[3])  # whoever opens it to read waits for one who writes
    with pytest.raises(DataError, match=r"\b1 s\b.*\bdata\.patience\b"):
        kept(paths, tmp_path, settings=tiny_settings("data.workers=1", "data.patience=1"))
    assert not list((tmp_path / "cache").glob("*.npy"))


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_file_that_is_something_else_is_refused(paths, tmp_path, content):
    file = tmp_path / "teacher-0.npy"
    if content is None:
        np.save(file, np.zeros((3, 2, 4), np.float32))
    else:
        file.write_bytes(content)
    with pytest.raises(DataError, match=r"teacher-0\.npy"):
        CachedFeatures(file, paths, ("cal", "bot"), 4)


def test_features_of_a_teacher_that_is_not_there_are_refused():
    with pytest.raises(SettingsError) as raised:
        tiny_settings("tad.teacher_features=once", "losses.distill=0")
    assert_names(raised.value, "teacher_features", "once", "losses.distill")
