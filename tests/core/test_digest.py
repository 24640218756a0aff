import hashlib

import pytest

from rlq.core.digest import file_digest, folder_digest, short_digest


def test_a_short_digest_is_the_beginning_of_sha256_of_all_parts():
    assert short_digest() == hashlib.sha256().hexdigest()[:16] == "e3b0c44298fc1c14"
    assert short_digest("ä", b"\0", memoryview(b"xy")) == short_digest("ä\0xy") == "5e15196ebb6531df"
    assert short_digest("x", "yz") == short_digest("xy", "z") != short_digest("xz", "y")


def test_a_file_and_a_folder_are_known_by_what_they_hold(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"abc")
    assert file_digest(tmp_path / "a/b/c") == hashlib.sha256(b"abc").hexdigest()
    entry = b"b/c 3\n" + hashlib.sha256(b"abc").digest()
    assert folder_digest(tmp_path / "a") == hashlib.sha256(entry).hexdigest()
    before = folder_digest(tmp_path)
    (tmp_path / "a/b/c").rename(tmp_path / "a/c")
    assert folder_digest(tmp_path) != before


def test_a_file_that_is_missing_has_no_digest(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "none")
