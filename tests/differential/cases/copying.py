"""COPY: what goes where, under which name, and with which mode and owner."""

from __future__ import annotations

from tests.differential.case import (
    ALL,
    DOCKERS,
    RECENT,
    Case,
    Content,
    file,
    folder,
    hard_link,
    link,
    owned,
    pipe,
)

TREE: Content = {
    "a.txt": "a",
    "b.txt": "b",
    "tree/one": "1",
    "tree/.hidden": "h",
    "tree/sub/two": file("2", 0o600),
    "tree/sub/deep/three": file("3", 0o755),
    "tree/empty": folder(0o700),
}
LINKS: Content = {
    "real/file": "content",
    "to-file": link("real/file"),
    "to-folder": link("real"),
    "to-absolute": link("/real/file"),
    "to-nothing": link("missing"),
    "up": link("../../real/file"),
    "tree/inside": link("../real"),
    "tree/broken": link("/not/there"),
}
CAPABLE = bytes.fromhex("0100000200040000000000000000000000000000")

DESTINATIONS = (
    Case(
        "A file to a name, and to a directory with a slash",
        """
        FROM scratch
        COPY a.txt /name
        COPY a.txt /made/for/it/
        COPY a.txt /deep/name
        """,
        TREE,
    ),
    Case(
        "A file into a directory that is there",
        """
        FROM BASE
        COPY a.txt /data
        COPY a.txt /home/app/
        """,
        TREE,
    ),
    Case(
        "A file over another, which takes its mode",
        """
        FROM BASE
        COPY a.txt /data/old
        COPY b.txt /usr/bin/tool
        """,
        TREE,
    ),
    Case(
        "A file to a relative place",
        """
        FROM BASE
        COPY a.txt new
        COPY a.txt ./
        COPY a.txt ../up/
        COPY a.txt .
        """,
        TREE,
    ),
    Case(
        "A destination with dots in it",
        """
        FROM scratch
        WORKDIR /w
        COPY a.txt /x/../y/./z
        COPY a.txt ../../../out
        COPY a.txt sub/.
        """,
        TREE,
    ),
    Case(
        "A destination in a working directory of the base",
        """
        FROM BASE
        WORKDIR sub
        COPY a.txt file
        """,
        TREE,
    ),
    Case(
        "A directory gives what is in it",
        """
        FROM scratch
        COPY tree /to
        COPY tree/ /slash/
        COPY tree/sub /
        """,
        TREE,
    ),
    Case(
        "A directory into one that is there",
        """
        FROM BASE
        COPY tree /srv/www
        COPY tree /data/
        """,
        TREE,
    ),
    Case(
        "The whole context, dotfiles included",
        """
        FROM scratch
        COPY . /
        """,
        {**TREE, ".env": "x", ".git/HEAD": "ref"},
    ),
    Case(
        "The whole context by other names",
        """
        FROM scratch
        COPY / /slash/
        COPY ./ /dot/
        COPY ../ /up/
        """,
        TREE,
    ),
    Case(
        "Several files into a directory",
        """
        FROM scratch
        COPY a.txt b.txt tree/one /to/
        """,
        TREE,
    ),
    Case(
        "Files and directories together",
        """
        FROM scratch
        COPY a.txt tree b.txt /to/
        """,
        TREE,
    ),
    Case(
        "Names with blanks in the exec form",
        """
        FROM scratch
        COPY ["with blank.txt", "a.txt", "/to here/"]
        """,
        {"with blank.txt": "x", "a.txt": "a"},
    ),
    Case(
        "Names that are not ASCII",
        """
        FROM scratch
        COPY . /ö/
        COPY ["日本/ファイル", "/"]
        """,
        {"é.txt": "e", "日本/ファイル": "f", "-dash": "-", "new\nline": "n", "a'b\"c": "q"},
    ),
    Case(
        "Names of 255 bytes, and paths far longer",
        """
        FROM scratch
        COPY . /to/
        """,
        {"n" * 255: "long", "/".join(["d" * 100] * 4) + "/file": "deep"},
    ),
    Case(
        "A source that is missing is refused",
        """
        FROM scratch
        COPY nothing /
        """,
        TREE,
        fails=True,
    ),
    Case(
        "Sources cannot climb out of the context",
        """
        FROM scratch
        COPY ../../a.txt /one
        COPY /a.txt /two
        """,
        TREE,
        judges=DOCKERS,
    ),
    Case(
        "Directories over files are refused",
        """
        FROM BASE
        COPY . /data/
        """,
        {"old/file": "x"},
        judges=DOCKERS,
        fails=True,
    ),
)

WILDCARDS = (
    Case(
        "Stars, question marks and classes",
        """
        FROM scratch
        COPY *.txt /star/
        COPY ?.md /one/
        COPY [a-c].txt /class/
        COPY [^a].txt /not/
        """,
        {"a.txt": "a", "b.txt": "b", "d.txt": "d", "x.md": "x", "yy.md": "y"},
    ),
    Case(
        "Wildcards within directories",
        """
        FROM scratch
        COPY */file /any/
        COPY d?/sub/*.txt /deep/
        """,
        {"d1/file": "1", "d2/other": "2", "d1/sub/a.txt": "a", "d2/sub/b.txt": "b"},
    ),
    Case(
        "A wildcard that stands for directories gives what is in them",
        """
        FROM scratch
        COPY d* /to/
        """,
        {"d1/a": "1", "d2/b": "2", "d2/sub/c": "3", "dfile": "f"},
    ),
    Case(
        "A star takes dotfiles as well",
        """
        FROM scratch
        COPY * /to/
        """,
        {".hidden": "h", "a": "a", ".dir/x": "x"},
    ),
    Case(
        "A wildcard that nothing matches, beside a file",
        """
        FROM scratch
        COPY a.txt *.none /to/
        """,
        TREE,
        judges=DOCKERS,
    ),
    Case(
        "A wildcard for several files, to one name",
        """
        FROM scratch
        COPY *.txt /name
        """,
        TREE,
        judges=DOCKERS,
    ),
    Case(
        "A wildcard for one file, to a name",
        """
        FROM scratch
        COPY a.* /name
        """,
        TREE,
    ),
    Case(
        "Names with wildcards in them, escaped",
        r"""
        FROM scratch
        COPY star[*].txt /one/
        COPY ["brack[[]et].txt", "/two/"]
        """,
        {"star*.txt": "s", "starx.txt": "x", "brack[et].txt": "b"},
        judges=DOCKERS,
    ),
)

FILES = (
    Case(
        "Modes are kept, the special bits too",
        """
        FROM scratch
        COPY modes /to
        """,
        {
            f"modes/{mode:o}": file("x", mode)
            for mode in (0o000, 0o400, 0o644, 0o777, 0o4755, 0o2755, 0o1666, 0o7777)
        },
    ),
    Case(
        "Modes of directories are kept, but not that of the one that is named",
        """
        FROM scratch
        COPY top /to
        """,
        {
            "top": folder(0o700),
            "top/sticky": folder(0o1777),
            "top/group": folder(0o2775),
            "top/closed": folder(0o500),
        },
    ),
    Case(
        "Owners of the context are root's",
        """
        FROM scratch
        COPY . /to/
        """,
        {"f": owned(file("x", 0o4755), 1000, 1000), "l": owned(link("f"), 5, 6)},
    ),
    Case(
        "Empty files and folders",
        """
        FROM scratch
        COPY . /to/
        COPY none /none/
        """,
        {"empty": "", "folder": folder(), "none": folder(), "f/in/side": folder()},
    ),
    Case(
        "Content of all bytes, and of more than a block",
        """
        FROM scratch
        COPY . /
        """,
        {"bytes": bytes(range(256)), "block": b"x" * 512, "more": b"y" * 70_000},
    ),
    Case(
        "Hard links within a directory",
        """
        FROM scratch
        COPY d /to
        COPY d/a d/b /apart/
        """,
        {"d/a": "same", "d/b": hard_link("a"), "d/c": "other"},
        judges=DOCKERS,
    ),
    Case(
        "Named pipes",
        """
        FROM scratch
        COPY d /to
        """,
        {"d/pipe": pipe(), "d/file": "f"},
    ),
    Case(
        "Capabilities of programs",
        """
        FROM scratch
        COPY bin /bin
        """,
        {"bin/ping": file("ping", 0o755, security_capability=CAPABLE)},
    ),
    Case(
        "Names that mean something in a layer",
        """
        FROM scratch
        COPY d /d
        """,
        {"d/.wh.gone": "x", "d/here": "x"},
        judges=DOCKERS,
    ),
    Case(
        "Symbolic links in a directory stay links",
        """
        FROM scratch
        COPY . /to/
        """,
        LINKS,
    ),
    Case(
        "A symbolic link that is named is followed",
        """
        FROM scratch
        COPY to-file /one
        COPY to-folder /dir
        COPY to-absolute up /into/
        """,
        LINKS,
        judges=DOCKERS,
    ),
    Case(
        "A link on the way to a source is followed",
        """
        FROM scratch
        COPY to-folder/file /one
        COPY tree/inside/file /two
        """,
        LINKS,
    ),
    Case(
        "A wildcard that matches links",
        """
        FROM scratch
        COPY to-f* /to/
        """,
        LINKS,
        judges=DOCKERS,
    ),
    Case(
        "A link that leads nowhere is refused",
        """
        FROM scratch
        COPY to-nothing /
        """,
        LINKS,
        fails=True,
    ),
)

ONTO_LINKS = (
    Case(
        "Into a directory that a link leads to",
        """
        FROM BASE
        COPY a.txt /www/
        COPY a.txt /www/name
        COPY tree /www
        """,
        TREE,
    ),
    Case(
        "Through a link of a base whose history does not speak of it",
        """
        FROM UNTOLD
        COPY a.txt /www/
        """,
        TREE,
    ),
    Case(
        "Programs into a /bin that is a link",
        """
        FROM BASE
        COPY --chmod=755 a.txt /bin/program
        """,
        TREE,
    ),
    Case(
        "A file onto a link to a file",
        """
        FROM BASE
        COPY a.txt /current
        """,
        TREE,
        judges=DOCKERS,
    ),
    Case(
        "Onto a link that leads nowhere",
        """
        FROM BASE
        COPY a.txt /dangling
        """,
        TREE,
        judges=DOCKERS,
    ),
    Case(
        "Below a link that leads nowhere",
        """
        FROM BASE
        COPY a.txt /dangling/
        COPY tree /dangling/tree
        """,
        TREE,
    ),
    Case(
        "Through a link that was copied before",
        """
        FROM scratch
        COPY site /
        COPY a.txt /current/
        COPY tree /current
        """,
        {"site/v1/index": "1", "site/current": link("v1"), **TREE},
    ),
    Case(
        "A link in the place of a file, and a file in the place of a link",
        """
        FROM BASE
        COPY . /
        """,
        {"data/old": link("/etc/group"), "current": "now a file"},
    ),
)

FLAGS = (
    Case(
        "--chown by number and by both numbers",
        """
        FROM scratch
        COPY --chown=1000 a.txt /one/
        COPY --chown=1000:50 tree /two
        COPY --chown=0:7 a.txt /three/made/
        """,
        TREE,
    ),
    Case(
        "--chown by name",
        """
        FROM BASE
        COPY --chown=app a.txt /one
        COPY --chown=app:staff tree /two
        COPY --chown=root:app a.txt /three
        COPY --chown=12:staff a.txt /four
        COPY --chown=app:0 a.txt /five
        """,
        TREE,
    ),
    Case(
        "--chown by a name that the Dockerfile brought",
        """
        FROM scratch
        COPY passwd group /etc/
        COPY --chown=me:us a.txt /
        """,
        {**TREE, "passwd": "me:x:77:88::/:/bin/sh\n", "group": "us:x:99:\n"},
    ),
    Case(
        "--chown of links and of what is in the way",
        """
        FROM BASE
        COPY --chown=9:9 links /data
        """,
        {"links/to": link("old"), "links/sub/f": "f"},
    ),
    Case(
        "--chmod of files and directories",
        """
        FROM scratch
        COPY --chmod=600 a.txt /one/two/
        COPY --chmod=0750 tree /three
        """,
        TREE,
    ),
    Case(
        "--chmod with special bits",
        """
        FROM scratch
        COPY --chmod=4711 a.txt /set-uid
        COPY --chmod=1777 a.txt /sticky/file
        """,
        TREE,
        judges=RECENT,
        expected=(
            "'/set-uid' 4711 0:0 file 'a'",
            "'/sticky' 777 0:0 dir",
            "'/sticky/file' 1777 0:0 file 'a'",
        ),
    ),
    Case(
        "--chmod in letters",
        """
        FROM scratch
        COPY --chmod=u=rwX,go=rX tree /one
        COPY --chmod=go-rwx,a+x a.txt /two/
        COPY --chmod=g=u tree /three
        """,
        TREE,
        judges=RECENT,
        expected=(
            "'/one/sub/two' 644 0:0 file '2'",
            "'/one/sub/deep/three' 755 0:0 file '3'",
            "'/one/empty' 755 0:0 dir",
            "'/two/a.txt' 711 0:0 file 'a'",
            "'/three/sub/two' 660 0:0 file '2'",
        ),
    ),
    Case(
        "--chmod and --chown together",
        """
        FROM BASE
        COPY --chown=app --chmod=640 tree /data/tree
        """,
        TREE,
    ),
    Case(
        "--chmod leaves links alone",
        """
        FROM scratch
        COPY --chmod=700 tree /to
        """,
        LINKS,
        judges=DOCKERS,
    ),
    Case(
        "--link makes a layer that knows nothing of those below",
        """
        FROM BASE
        COPY --link a.txt /www/
        COPY --link --chown=5:6 tree /linked/
        """,
        TREE,
        judges=RECENT,
        expected=(
            "'/www' 755 0:0 dir",
            "'/www/a.txt' 644 0:0 file 'a'",
            "'/linked' 755 5:6 dir",
            "'/linked/sub/two' 600 5:6 file '2'",
        ),
    ),
    Case(
        "--parents keeps the path",
        """
        FROM scratch
        COPY --parents tree/sub/two a.txt /to/
        COPY --parents ./tree/./sub/deep /pivot/
        COPY --parents tree/*/t* /wild/
        """,
        TREE,
        judges=RECENT,
        expected=(
            "'/to/tree/sub/two' 600 0:0 file '2'",
            "'/to/a.txt' 644 0:0 file 'a'",
            "'/pivot/sub/deep/three' 755 0:0 file '3'",
            "'/wild/tree/sub/two' 600 0:0 file '2'",
        ),
    ),
    Case(
        "--parents keeps the modes of the directories on the way",
        """
        FROM scratch
        COPY --parents --chown=3:4 top/in/file /to/
        """,
        {"top": folder(0o700), "top/in": folder(0o2750), "top/in/file": "f"},
        judges=RECENT,
        expected=(
            "'/to/top' 700 3:4 dir",
            "'/to/top/in' 2750 3:4 dir",
            "'/to/top/in/file' 644 3:4 file 'f'",
        ),
    ),
    Case(
        "--exclude leaves out what matches",
        """
        FROM scratch
        COPY --exclude=*.txt --exclude=**/deep . /to/
        COPY --exclude=** --exclude=!**/three tree /three/
        """,
        TREE,
        judges=RECENT,
        expected=(
            "'/to/tree/sub/two' 600 0:0 file '2'",
            "'/to/tree/empty' 700 0:0 dir",
            "'/three/sub/deep/three' 755 0:0 file '3'",
        ),
    ),
    Case(
        "--exclude of a directory that is named",
        """
        FROM scratch
        COPY --exclude=sub tree /one
        COPY --exclude=tree/sub tree /two
        COPY --exclude=one tree/* /three/
        """,
        TREE,
        judges=RECENT,
        expected=("'/one/one' 644 0:0 file '1'", "'/two/sub/two' 600 0:0 file '2'"),
    ),
    Case(
        "Inline files",
        """
        FROM scratch
        ARG WHO=world
        COPY <<one <<"two" <<-three /to/
        hello $WHO \\$WHO
        one
        hello $WHO
        two
        \thello
        \tthree
        COPY --chown=5:6 --chmod=755 <<EOF /run
        #!/bin/sh
        EOF
        """,
        judges=RECENT,
        expected=(
            "'/to' 755 0:0 dir",
            r"'/to/one' 644 0:0 file 'hello world $WHO\n'",
            r"'/to/two' 644 0:0 file 'hello $WHO\n'",
            r"'/to/three' 644 0:0 file 'hello\n'",
            r"'/run' 755 5:6 file '#!/bin/sh\n'",
        ),
    ),
    Case(
        "Inline files beside files",
        """
        FROM scratch
        COPY a.txt <<EOF b.txt /to/
        inline
        EOF
        """,
        TREE,
        judges=RECENT,
        expected=("'/to/a.txt' 644 0:0 file 'a'", r"'/to/EOF' 644 0:0 file 'inline\n'"),
    ),
    Case(
        "--chown by a name that nobody has",
        """
        FROM BASE
        COPY --chown=nobody a.txt /
        """,
        TREE,
        judges=DOCKERS,
    ),
    Case(
        "A flag that does not exist is refused",
        """
        FROM scratch
        COPY --chwon=1 a.txt /
        """,
        TREE,
        judges=ALL,
        fails=True,
    ),
)

COPYING = (*DESTINATIONS, *WILDCARDS, *FILES, *ONTO_LINKS, *FLAGS)
