from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidArchive
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.tree import Directory, Leaf, Tree


def file(name: str, note: str = "", mode: int = 0o644) -> tuple[Entry, str]:
    return Entry(name=name, mode=mode), note


def directory(name: str, mode: int = 0o755) -> tuple[Entry, str]:
    return Entry(name=name, type=EntryType.DIR, mode=mode), ""


def symlink(name: str, target: str) -> tuple[Entry, str]:
    return Entry(name=name, type=EntryType.SYMLINK, mode=0o777, linkname=target), ""


def hardlink(name: str, target: str) -> tuple[Entry, str]:
    return Entry(name=name, type=EntryType.HARDLINK, linkname=target), ""


def stack(*layers: list[tuple[Entry, str]]) -> Tree[str]:
    return Tree.stack(Tree.of_layer(layer) for layer in layers)


def files(tree: Tree[str]) -> dict[str, str | None]:
    """The notes of all that is no directory, by path."""
    return {path: node.note for path, node in tree.walk() if isinstance(node, Leaf)}


def note(tree: Tree[str], path: str) -> str | None:
    node = tree.find(path)
    assert isinstance(node, Leaf)
    return node.note


def mode(tree: Tree[str], path: str) -> int | None:
    node = tree.find(path)
    assert node is not None
    return node.mode


def test_no_layers_make_an_empty_root() -> None:
    tree = stack()
    assert files(tree) == {}
    assert isinstance(tree.find("/"), Directory)


def test_walk_is_in_order_and_names_directories() -> None:
    tree = stack([file("b"), file("a/z"), file("a/c/d")])
    assert [path for path, _ in tree.walk()] == ["/a", "/a/c", "/a/c/d", "/a/z", "/b"]


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([file("etc/a", "new")], {"/etc/a": "new", "/etc/b": "b", "/top": "t"}),
        ([file(".wh.top")], {"/etc/a": "a", "/etc/b": "b"}),
        ([file("etc/.wh.a")], {"/etc/b": "b", "/top": "t"}),
        ([file(".wh.etc")], {"/top": "t"}),
        ([file("etc/.wh..wh..opq")], {"/top": "t"}),
        ([file(".wh..wh..opq")], {}),
        ([file(".wh.none")], {"/etc/a": "a", "/etc/b": "b", "/top": "t"}),
        ([file("etc", "now a file")], {"/etc": "now a file", "/top": "t"}),
        ([directory("top")], {"/etc/a": "a", "/etc/b": "b"}),
        ([file("top/x", "x")], {"/etc/a": "a", "/etc/b": "b", "/top/x": "x"}),
        ([symlink("etc", "/top")], {"/etc": "", "/top": "t"}),
        ([directory("etc")], {"/etc/a": "a", "/etc/b": "b", "/top": "t"}),
    ],
    ids=[
        "a file is replaced",
        "a whiteout removes a file",
        "a whiteout removes a file in a directory",
        "a whiteout removes a directory",
        "an opaque directory hides what is in it below",
        "an opaque root hides everything",
        "a whiteout of nothing does nothing",
        "a file takes a directory's place",
        "a directory takes a file's place",
        "a directory that no entry names takes a file's place",
        "a link takes a directory's place",
        "a directory keeps what is in it below",
    ],
)
def test_a_layer_over_another(
    upper: list[tuple[Entry, str]], expected: dict[str, str | None]
) -> None:
    lower = [file("etc/a", "a"), file("etc/b", "b"), file("top", "t")]
    assert files(stack(lower, upper)) == expected


@pytest.mark.parametrize("hidden_first", [True, False])
def test_whiteouts_hide_lower_layers_only_wherever_they_stand(hidden_first: bool) -> None:
    whiteouts = [file("etc/.wh..wh..opq"), file("opt/.wh.app")]
    own = [file("etc/a", "new"), file("opt/app/b", "new")]
    upper = whiteouts + own if hidden_first else own + whiteouts
    lower = [file("etc/old", "old"), file("opt/app/old", "old")]
    assert files(stack(lower, upper)) == {"/etc/a": "new", "/opt/app/b": "new"}


def test_what_a_whiteout_removed_may_come_back() -> None:
    tree = stack([file("a", "1")], [file(".wh.a")], [file("a", "3")])
    assert files(tree) == {"/a": "3"}


def test_a_layer_can_be_used_in_several_stacks() -> None:
    base = Tree.of_layer([file("etc/a", "a")])
    removed = Tree.stack([base, Tree.of_layer([file("etc/.wh.a"), file("etc/b", "b")])])
    assert files(removed) == {"/etc/b": "b"}
    assert files(Tree.stack([base])) == {"/etc/a": "a"}


def test_the_last_entry_of_a_name_stands() -> None:
    assert files(stack([file("a", "1"), file("a", "2")])) == {"/a": "2"}


def test_a_file_in_place_of_a_directory_of_its_layer_removes_what_was_in_it() -> None:
    assert files(stack([file("a/b"), file("a", "file")])) == {"/a": "file"}


def test_modes_are_the_topmost_entrys() -> None:
    tree = stack([directory("tmp", 0o1777), file("a", "", 0o600)], [file("tmp/x"), file("a")])
    assert mode(tree, "/tmp") == 0o1777
    assert mode(tree, "/a") == 0o644


def test_the_root_has_a_mode() -> None:
    assert mode(stack([(Entry(name=".", type=EntryType.DIR, mode=0o700), "")]), "/") == 0o700


def test_hard_links_have_one_leaf() -> None:
    tree = stack([file("bin/busybox", "box"), hardlink("bin/sh", "bin/busybox")])
    assert tree.find("/bin/sh") is tree.find("/bin/busybox")


def test_a_hard_link_survives_its_target() -> None:
    tree = stack([file("a", "x"), hardlink("b", "a")], [file(".wh.a")])
    assert files(tree) == {"/b": "x"}


def test_a_link_of_the_same_layer_is_followed_by_entries() -> None:
    tree = stack([directory("usr/lib"), symlink("lib", "usr/lib"), file("lib/x", "x")])
    assert files(tree) == {"/lib": "", "/usr/lib/x": "x"}


def test_a_link_of_a_lower_layer_is_replaced_by_a_directory() -> None:
    lower = [file("usr/lib/ld.so", "loader"), symlink("lib", "usr/lib")]
    tree = stack(lower, [file("lib/x", "x")])
    assert files(tree) == {"/lib/x": "x", "/usr/lib/ld.so": "loader"}
    assert tree.find("/lib/ld.so") is None


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/app",
        "usr/bin/app",
        "//usr/./bin/app",
        "/bin/app",
        "/absolute/app",
        "/up/bin/app",
        "/usr/../usr/bin/app",
        "/../../usr/bin/app",
        "/bin/../bin/app",
        "/chain",
    ],
)
def test_find(path: str) -> None:
    tree = stack(
        [
            file("usr/bin/app", "app"),
            symlink("bin", "usr/bin"),
            symlink("absolute", "/usr/bin"),
            symlink("up", "../../../../usr"),
            symlink("chain", "bin/../bin/app"),
        ]
    )
    assert note(tree, path) == "app"


@pytest.mark.parametrize("path", ["/none", "/app/below", "/app/..", "/loop", "/loop/x", "/lost"])
def test_find_nothing(path: str) -> None:
    tree = stack([file("app"), symlink("loop", "loop"), symlink("lost", "/etc/none")])
    assert tree.find(path) is None


def test_dot_dot_after_a_link_is_where_the_link_leads() -> None:
    tree = stack([file("usr/x", "x"), directory("usr/bin"), symlink("bin", "usr/bin")])
    assert note(tree, "/bin/../x") == "x"


def test_the_last_link_is_followed_only_if_asked() -> None:
    tree = stack([file("dir/app"), symlink("d", "dir"), symlink("dir/link", "app")])
    link = tree.find("/d/link", follow=False)
    assert isinstance(link, Leaf)
    assert link.target == "app"


@pytest.mark.parametrize(("links", "found"), [(40, True), (41, False)])
def test_a_path_leads_through_at_most_forty_links(links: int, found: bool) -> None:
    chain = [symlink(f"l{number}", f"l{number + 1}") for number in range(links)]
    tree = stack([*chain, file(f"l{links}")])
    assert (tree.find("/l0") is not None) is found


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([file("a"), file("a/b")], "has 'a/b' below something that is no directory"),
        ([symlink("a", "a"), file("a/b")], "has 'a/b' below something that is no directory"),
        (
            [hardlink("a", "b")],
            "has 'a', a hard link to 'b', which is no file of the same layer before it",
        ),
        (
            [directory("b"), hardlink("a", "b")],
            "has 'a', a hard link to 'b', which is no file of the same layer before it",
        ),
        ([file("a/.wh.")], "has the whiteout '.wh.', which names no file"),
        ([file("a/.wh...")], "has the whiteout '.wh...', which names no file"),
        ([file(".wh.a/b")], "has '.wh.a/b' below a whiteout"),
        ([hardlink("a", ".")], "has 'a', a hard link to '.', which is no file of the same layer"
                               " before it"),
    ],
)  # fmt: skip
def test_what_cannot_be_unpacked_is_refused(entries: list[tuple[Entry, str]], message: str) -> None:
    with pytest.raises(InvalidArchive) as caught:
        Tree.of_layer(entries)
    assert str(caught.value) == message


def test_what_aufs_kept_for_itself_is_skipped() -> None:
    assert files(stack([file(".wh..wh.plnk/12.34"), file(".wh..wh.aufs"), file("a")])) == {"/a": ""}


def test_directories_without_an_entry_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.layers.tree.MAX_IMPLIED", 4)
    Tree.of_layer([file("a/b/c/d/x"), file("a/b/c/d/y")])
    with pytest.raises(InvalidArchive, match="has over 4 directories without an entry"):
        Tree.of_layer([file("a/b/c/d/x"), file("e/x")])


def test_depth_is_no_matter_of_recursion() -> None:
    name = "/".join(["d"] * 2000)
    tree = stack([file(f"{name}/a", "a")], [file(f"{name}/b", "b")])
    assert note(tree, f"/{name}/a") == "a"
    assert note(tree, f"/{name}/b") == "b"
    assert len(files(tree)) == 2


_PARTS = st.sampled_from(["a", "b", "c", "..", ".", "/"])
_NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)
_TARGETS = st.lists(_PARTS, min_size=1, max_size=4).map("/".join)
_ENTRIES = st.one_of(
    st.builds(file, _NAMES),
    st.builds(directory, _NAMES),
    st.builds(symlink, _NAMES, _TARGETS),
    st.builds(lambda name: file(f"{name}/.wh.a"), _NAMES),
    st.builds(lambda name: file(f"{name}/.wh..wh..opq"), _NAMES),
)


@given(st.lists(st.lists(_ENTRIES, max_size=6), max_size=3), _TARGETS)
def test_any_layers_are_a_tree_or_refused(layers: list[list[tuple[Entry, str]]], path: str) -> None:
    try:
        tree = stack(*layers)
    except InvalidArchive:
        return
    tree.find(path)
    for known, node in tree.walk():
        assert tree.find(known, follow=False) is node
        assert ".wh." not in known
