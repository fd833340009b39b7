"""An image's files as a folder, whatever its layers try."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.errors import CheckFailed, DigestMismatch, InvalidArchive, ReleaseError
from manyfest.layers.entry import Entry, EntryType
from manyfest.oci.config import RunConfig
from manyfest.progress import NoProgress
from manyfest.release.smoke.account import Account, account_of
from manyfest.release.smoke.bundle import environment
from manyfest.release.smoke.layers import Layers
from manyfest.release.smoke.rootfs import files_of, lay_out
from manyfest.release.smoke.trial import Subject, subjects_of
from tests.unit.check_images import Images, Item, Layer, directory, file, hardlink, one, symlink


class Unpacking:
    """Images that are unpacked below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Images()
        (folder / "files").mkdir()

    def layers(self, *subjects: Subject) -> Layers:
        return Layers(self.store, subjects, self.folder / "files", NoProgress())

    def subject(self, *layers: Layer) -> Subject:
        [subject] = subjects_of(self.store, one(self.store, *layers))
        return subject

    def root(self, *layers: tuple[Item, ...], folders: tuple[str, ...] = ()) -> Path:
        """The folder with the files of an image of these layers."""
        subject = self.subject(*(self.store.layer(*items) for items in layers))
        unpacked = self.layers(subject).of(subject)
        root = self.folder / "rootfs"
        lay_out(files_of(unpacked, folders), unpacked, root)
        return root

    def account(self, user: str, *items: Item) -> Account:
        subject = self.subject(self.store.layer(*items))
        return account_of(files_of(self.layers(subject).of(subject), ()), user)


@pytest.fixture
def unpacking(tmp_path: Path) -> Unpacking:
    return Unpacking(tmp_path)


def found(root: Path) -> dict[str, str]:
    """What is there: a file's content, a link's target, a folder's mode."""
    return {str(path.relative_to(root)): _what(path) for path in sorted(root.rglob("*"))}


def _what(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return f"{path.stat().st_mode & 0o7777:o}" if path.is_dir() else path.read_text()


def test_upper_layers_hide_and_replace(unpacking: Unpacking) -> None:
    root = unpacking.root(
        (file("a/gone", b"1"), file("a/old", b"2"), file("b/gone", b"3"), symlink("c", "a")),
        (file("a/.wh.gone"), file("a/old", b"new"), file("b/.wh..wh..opq"), file("b/new", b"4")),
    )
    assert found(root) == {
        "a": "755", "a/old": "new", "b": "755", "b/new": "4", "c": "-> a",
    }  # fmt: skip


def test_a_link_of_a_lower_layer_leads_nothing_out(unpacking: Unpacking) -> None:
    outside = unpacking.folder / "outside"
    outside.mkdir()
    root = unpacking.root(
        (symlink("etc", str(outside)), symlink("up", "../../outside")),
        (file("etc/passwd", b"x"), file("up/file", b"y")),
    )
    assert list(outside.iterdir()) == []
    assert found(root) == {"etc": "755", "etc/passwd": "x", "up": "755", "up/file": "y"}


def test_a_link_of_the_same_layer_is_followed_inside(unpacking: Unpacking) -> None:
    outside = unpacking.folder / "outside"
    outside.mkdir()
    root = unpacking.root((symlink("link", str(outside)), file("link/file", b"x")))
    assert list(outside.iterdir()) == []
    assert (root / str(outside).lstrip("/") / "file").read_text() == "x"


def test_names_of_one_file_are_links_of_each_other(unpacking: Unpacking) -> None:
    root = unpacking.root((file("one", b"x", 0o640), hardlink("two", "one")))
    assert (root / "one").samefile(root / "two")
    assert (root / "one").stat().st_mode & 0o7777 == 0o640


def test_a_hard_link_to_what_is_outside_is_refused(unpacking: Unpacking) -> None:
    with pytest.raises(InvalidArchive, match="no file of the same layer"):
        unpacking.root((hardlink("passwd", "etc/passwd"),))


def test_devices_are_left_out_and_pipes_are_not(unpacking: Unpacking) -> None:
    disk = Entry(name="disk", type=EntryType.BLOCK, devmajor=8), None
    again = Entry(name="same", type=EntryType.HARDLINK, linkname="disk"), None
    pipe = Entry(name="pipe", type=EntryType.FIFO, mode=0o600), None
    root = unpacking.root((disk, again, pipe))
    assert [path.name for path in root.iterdir()] == ["pipe"]
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)


def test_modes_and_times_are_kept_also_where_nothing_may_be_written(
    unpacking: Unpacking,
) -> None:
    closed = Entry(name="closed", type=EntryType.DIR, mode=0o555, mtime=86400), None
    root = unpacking.root((closed, file("closed/set", b"x", 0o4755)))
    told = [(root / name).stat() for name in ("closed", "closed/set")]
    assert [each.st_mode & 0o7777 for each in told] == [0o555, 0o4755]
    assert [each.st_mtime for each in told] == [86400, 0]
    (root / "closed").chmod(0o755)


def test_times_that_no_file_system_knows_are_no_fault(unpacking: Unpacking) -> None:
    entry, content = file("file", b"x")
    early, late = replace(entry, mtime=-5), replace(entry, name="late", mtime=2**40)
    root = unpacking.root(((early, content), (late, content)))
    assert [(root / name).stat().st_mtime for name in ("file", "late")] == [0, 2**32]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_an_owner_that_no_system_knows_is_told(unpacking: Unpacking) -> None:
    entry, content = file("file", b"x")
    with pytest.raises(ReleaseError, match="the image cannot be unpacked: uid is "):
        unpacking.root(((replace(entry, uid=2**40), content),))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_owners_are_kept(unpacking: Unpacking) -> None:
    entry, content = file("file", b"x")
    folder, _ = directory("folder")
    root = unpacking.root(
        ((replace(entry, uid=12, gid=34), content), (replace(folder, uid=56, gid=78), None))
    )
    told = [(root / name).stat() for name in ("file", "folder")]
    assert [(each.st_uid, each.st_gid) for each in told] == [(12, 34), (56, 78)]


def test_folders_that_are_named_are_there(unpacking: Unpacking) -> None:
    root = unpacking.root((symlink("data", "srv"), directory("srv")), folders=("/data", "/a/b"))
    assert found(root) == {"a": "755", "a/b": "755", "data": "-> srv", "srv": "755"}


def test_a_layer_of_two_images_is_read_once_and_is_each_one_s_own(unpacking: Unpacking) -> None:
    shared = unpacking.store.layer(file("shared", b"x"))
    index = unpacking.store.index(
        *(unpacking.store.image(shared, platform=f"linux/{name}") for name in ("amd64", "arm64"))
    )
    subjects = subjects_of(unpacking.store, index)
    layers = unpacking.layers(*subjects)
    for subject in subjects:
        unpacked = layers.of(subject)
        lay_out(files_of(unpacked, ()), unpacked, unpacking.folder / subject.platform.suffix)
    (unpacking.folder / "amd64" / "shared").write_text("changed")
    assert (unpacking.folder / "arm64" / "shared").read_text() == "x"
    assert unpacking.store.opened[shared.descriptor.digest] == 1


def test_a_damaged_layer_is_refused(unpacking: Unpacking) -> None:
    layer = unpacking.store.layer(file("file", b"x"))
    subject = unpacking.subject(layer)
    blob = unpacking.store.blobs[layer.descriptor.digest]
    unpacking.store.blobs[layer.descriptor.digest] = blob[:9] + b"\3" + blob[10:]
    with pytest.raises(DigestMismatch):
        unpacking.layers(subject).of(subject)


PASSWD = file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n# none\napp:x:7:8::/home/app:/bin/sh\n")
GROUP = file("etc/group", b"root:x:0:\napp:x:8:\nvideo:x:44:tv,app\nroot2:x:5:root\n")


@pytest.mark.parametrize(
    ("user", "account"),
    [
        ("", Account(0, 0, (5,), "/root")),
        ("app", Account(7, 8, (44,), "/home/app")),
        ("7", Account(7, 8, (44,), "/home/app")),
        ("app:video", Account(7, 44, (), "/home/app")),
        ("7:9", Account(7, 9, (), "/home/app")),
        ("99", Account(99, 0, (), "/")),
        ("99:app", Account(99, 8, (), "/")),
    ],
)
def test_users_are_looked_up_in_the_image(
    unpacking: Unpacking, user: str, account: Account
) -> None:
    assert unpacking.account(user, PASSWD, GROUP) == account


@pytest.mark.parametrize(
    ("user", "why"),
    [("nobody", "user 'nobody' is not in its /etc/passwd"), ("0:no", "group 'no' is not in its")],
)
def test_a_user_that_is_not_there_is_told(unpacking: Unpacking, user: str, why: str) -> None:
    with pytest.raises(CheckFailed, match=why):
        unpacking.account(user, PASSWD, GROUP)


def test_accounts_are_not_read_through_a_link_that_leads_out(unpacking: Unpacking) -> None:
    (unpacking.folder / "passwd").write_text("app:x:7:8::/:/bin/sh\n")
    link = symlink("etc/passwd", str(unpacking.folder / "passwd"))
    with pytest.raises(CheckFailed, match="user 'app' is not in its /etc/passwd"):
        unpacking.account("app", link)


def test_the_image_s_variables_are_stronger_than_the_usual_ones() -> None:
    run = RunConfig(env=("PATH=/opt/bin", "A=1"))
    assert environment(run, Account(home="/home/app")) == [
        "HOSTNAME=smoke", "HOME=/home/app", "PATH=/opt/bin", "A=1",
    ]  # fmt: skip
