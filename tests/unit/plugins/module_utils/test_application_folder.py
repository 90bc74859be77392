"""What of an application's folder travels, and what does not."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import application_folder
from ansible_collections.continuum.edge.plugins.module_utils.application_folder import FolderError


def make(root: Path, *names: str, content: bytes = b"x = 1\n") -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def test_all_of_it_travels(tmp_path: Path) -> None:
    names = ["main.py", "lib/__init__.py", "lib/deep/er/module.py", "data/größe der Kräne.csv", ".hidden"]
    folder = application_folder.read(make(tmp_path, *names))
    assert list(folder.paths) == sorted(names)
    assert folder.left_out == ()


def test_what_never_travels_has_its_line(tmp_path: Path) -> None:
    folder = application_folder.read(make(tmp_path, "main.py", ".git/HEAD", "lib/__pycache__/a.pyc"))
    assert folder.paths == ("main.py",)
    assert [line.partition(" ")[0] for line in folder.left_out] == [".git", "lib/__pycache__"]


def test_docker_rules(tmp_path: Path) -> None:
    make(tmp_path, "main.py", "a.log", "sub/a.log", "sub/b.tmp", "big/one.bin", "big/keep.bin", "notes.md")
    # A pattern without a slash is of the folder itself alone, and a part of an ignored folder can be taken back.
    (tmp_path / ".dockerignore").write_text("# ours\n*.log\n**/*.tmp\nbig\n!big/keep.bin\n/notes.md\n")
    folder = application_folder.read(tmp_path)
    assert list(folder.paths) == [".dockerignore", "big/keep.bin", "main.py", "sub/a.log"]
    assert "big/one.bin (.dockerignore)" in folder.left_out


def test_git_rules_where_docker_has_none(tmp_path: Path) -> None:
    make(tmp_path, "main.py", "a.log", "sub/a.log", "out/x")
    (tmp_path / ".gitignore").write_text("*.log\nout/\n")
    folder = application_folder.read(tmp_path)
    assert list(folder.paths) == [".gitignore", "main.py"]
    assert set(folder.left_out) == {"a.log (.gitignore)", "sub/a.log (.gitignore)", "out/x (.gitignore)"}


def test_a_pipe_has_its_line(tmp_path: Path) -> None:
    os.mkfifo(make(tmp_path, "main.py") / "pipe")
    assert application_folder.read(tmp_path).left_out == ("pipe (neither a file, a folder nor a link)",)


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    make(tmp_path, "app/main.py", "outside")
    (tmp_path / "app" / "link").symlink_to(target)
    with pytest.raises(FolderError, match="does not travel with the folder"):
        application_folder.read(tmp_path / "app")
    (tmp_path / "app" / ".dockerignore").write_text("link\n")
    assert application_folder.read(tmp_path / "app").left_out == ("link (.dockerignore)",)


def test_no_folder_is_refused_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="none is no folder"):
        application_folder.read(tmp_path / "none")


def test_a_small_folder_is_values(tmp_path: Path) -> None:
    make(tmp_path, "main.py", "lib/a.py")
    (tmp_path / "run.sh").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "data.bin").write_bytes(b"\xff\x00\xfe")
    (tmp_path / "windows.txt").write_bytes(b"a\r\nb")
    assert application_folder.as_values(application_folder.read(tmp_path)) == {
        "files": {"lib/a.py": "x = 1\n", "main.py": "x = 1\n", "run.sh": "#!/bin/sh\n"},
        "binaryFiles": {"data.bin": "/wD+", "windows.txt": "YQ0KYg=="},
        "executables": ["run.sh"],
    }


def test_links_empty_folders_and_large_ones_need_an_archive(tmp_path: Path) -> None:
    for name in ("link", "empty", "large"):
        make(tmp_path / name, "main.py")
    (tmp_path / "link" / "other.py").symlink_to("main.py")
    (tmp_path / "empty" / "out").mkdir()
    make(tmp_path / "large", "data", content=b"x" * (application_folder.CONFIG_MAP + 1))
    for name in ("link", "empty", "large"):
        assert application_folder.as_values(application_folder.read(tmp_path / name)) is None


def test_the_archive_is_the_same_tree(tmp_path: Path) -> None:
    root = make(tmp_path / "app", "main.py", "lib/a b ü.py", "bin/tool")
    (root / "bin" / "tool").chmod(0o755)
    (root / "link.py").symlink_to("main.py")
    (root / "empty").mkdir()
    folder = application_folder.read(root)
    application_folder.pack(folder, tmp_path / "one.tgz")
    os.utime(root / "main.py", (0, 0))
    application_folder.pack(application_folder.read(root), tmp_path / "two.tgz")
    assert (tmp_path / "one.tgz").read_bytes() == (tmp_path / "two.tgz").read_bytes()
    with tarfile.open(tmp_path / "one.tgz") as packed:
        packed.extractall(tmp_path / "there", filter="data")
    unpacked = application_folder.read(tmp_path / "there")
    assert unpacked.paths == folder.paths
    assert unpacked.digest() == folder.digest()


def test_the_digest_follows_names_modes_and_content(tmp_path: Path) -> None:
    root = make(tmp_path, "main.py", "a")
    digests = {application_folder.read(root).digest()}
    (root / "a").chmod(0o755)
    digests.add(application_folder.read(root).digest())
    (root / "a").write_text("other")
    digests.add(application_folder.read(root).digest())
    (root / "a").rename(root / "b")
    digests.add(application_folder.read(root).digest())
    assert len(digests) == 4


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.tgz"
    path.write_text("text")
    with pytest.raises(FolderError, match=r"map\.tgz is no archive"), application_folder.unpacked(path):
        pass
