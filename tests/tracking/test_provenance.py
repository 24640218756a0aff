"""Where a run comes from."""

import subprocess
from pathlib import Path

import numpy
import pytest

from rlq.tracking import git_tags, library_versions
from rlq.tracking.provenance import source_tags, without_credentials


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-b", "work")
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_checkout_is_named_by_commit_branch_and_address_without_password(checkout: Path):
    git(checkout, "remote", "add", "origin", "https://me:secret@example.org:8443/rlq.git")
    tags = git_tags(checkout)
    assert len(tags.pop("mlflow.source.git.commit")) == 40
    assert tags == {
        "mlflow.source.git.branch": "work",
        "mlflow.source.git.repoURL": "https://example.org:8443/rlq.git",
        "git.dirty": "false",
    }


def test_changed_files_make_it_dirty(checkout: Path):
    (checkout / "a.py").write_text("a = 2\n")
    assert git_tags(checkout)["git.dirty"] == "true"


def test_a_detached_head_has_no_branch(checkout: Path):
    git(checkout, "checkout", "--detach")
    assert git_tags(checkout).keys() == {"mlflow.source.git.commit", "git.dirty"}


def test_a_plain_folder_has_no_git_tags(tmp_path: Path):
    assert git_tags(tmp_path) == {}


def test_without_git_there_are_no_git_tags(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(checkout))
    assert git_tags(checkout) == {}


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://token@github.com/a/b", "https://github.com/a/b"),
        ("http://me:p@ss@host:5000/x", "http://host:5000/x"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("/srv/git/b", "/srv/git/b"),
        ("sqlite:////runs/mlflow.db", "sqlite:////runs/mlflow.db"),
    ],
)
def test_addresses_lose_their_credentials_and_nothing_else(address: str, clean: str):
    assert without_credentials(address) == clean


def test_versions_are_those_installed():
    versions = library_versions()
    assert versions["numpy"] == numpy.__version__
    assert {"python", "torch", "mlflow", "rlq"} <= versions.keys()


def test_the_program_is_named_without_its_arguments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/rlq", "sweep", "--storage", "postgresql://me:secret@host/db"])
    monkeypatch.setenv("LOGNAME", "ada")
    assert source_tags() == {"mlflow.source.name": "rlq", "mlflow.source.type": "LOCAL", "mlflow.user": "ada"}
