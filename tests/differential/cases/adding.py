"""ADD: as COPY, but archives are unpacked."""

from __future__ import annotations

import gzip
import tarfile

from tests.differential.case import (
    DOCKERS,
    RECENT,
    Case,
    archive,
    folder,
    hard_link,
    link,
    member,
)

MEMBERS = [
    member("top", "top"),
    member("dir/", kind=tarfile.DIRTYPE, mode=0o750, uid=3, gid=4),
    member("dir/run", "run", mode=0o755, uid=3, gid=4),
    member("dir/link", kind=tarfile.SYMTYPE, to="run"),
    member("dir/hard", kind=tarfile.LNKTYPE, to="dir/run", mode=0o755, uid=3, gid=4),
    member("implied/file", "implied"),
]


def packed(name: str, compression: str = "") -> Case:
    """ADD of an archive that is called ``name``."""
    return Case(
        f"ADD unpacks {compression or 'plain'} archives",
        f"""
        FROM scratch
        ADD {name} /to/
        ADD {name} /name
        """,
        {name: archive(MEMBERS, compression)},
    )


ADDING = (
    packed("files.tar"),
    packed("files.tar.gz", "gz"),
    packed("files.tar.bz2", "bz2"),
    packed("files.tar.xz", "xz"),
    Case(
        "ADD tells archives by their content",
        """
        FROM scratch
        ADD archive text.tar packed.gz /to/
        """,
        {
            "archive": archive(MEMBERS, "gz"),
            "text.tar": "no archive",
            "packed.gz": gzip.compress(b"text", mtime=0),
        },
    ),
    Case(
        "COPY leaves archives as they are",
        """
        FROM scratch
        COPY files.tar /to/
        """,
        {"files.tar": archive(MEMBERS)},
    ),
    Case(
        "ADD of files, directories and wildcards",
        """
        FROM scratch
        ADD a.txt /one/
        ADD tree /two
        ADD *.txt tree /three/
        """,
        {"a.txt": "a", "b.txt": "b", "tree/c": "c", "tree/d/e": "e"},
    ),
    Case(
        "ADD does not unpack archives within a directory",
        """
        FROM scratch
        ADD tree /to
        """,
        {"tree/files.tar": archive(MEMBERS)},
    ),
    Case(
        "ADD with --chown",
        """
        FROM BASE
        ADD --chown=app a.txt /one
        ADD --chown=7:8 files.tar /two/
        """,
        {"a.txt": "a", "files.tar": archive(MEMBERS)},
    ),
    Case(
        "ADD with --chmod",
        """
        FROM scratch
        ADD --chmod=600 a.txt /one/
        """,
        {"a.txt": "a"},
    ),
    Case(
        "ADD with --chmod of an archive",
        """
        FROM scratch
        ADD --chmod=600 files.tar /to/
        """,
        {"files.tar": archive(MEMBERS)},
        judges=DOCKERS,
    ),
    Case(
        "ADD of several archives, the later over the earlier",
        """
        FROM scratch
        ADD one.tar two.tar /to/
        """,
        {
            "one.tar": archive([member("same", "one"), member("d/one", "1")]),
            "two.tar": archive([member("same", "two"), member("d/two", "2")]),
        },
    ),
    Case(
        "ADD over files and directories of the base",
        """
        FROM BASE
        ADD files.tar /
        """,
        {
            "files.tar": archive(
                [
                    member("data/", kind=tarfile.DIRTYPE, mode=0o700),
                    member("data/old", "new"),
                    member("srv/www/more", "more"),
                ]
            )
        },
    ),
    Case(
        "ADD unpacks through links of the image",
        """
        FROM BASE
        ADD files.tar /www/
        ADD files.tar /
        """,
        {"files.tar": archive([member("bin/new", "new", mode=0o755), member("file", "f")])},
        judges=DOCKERS,
    ),
    Case(
        "ADD unpacks an entry onto a link",
        """
        FROM BASE
        ADD files.tar /
        """,
        {"files.tar": archive([member("current", "now a file"), member("dangling", "so too")])},
    ),
    Case(
        "ADD of an archive with links to outside, to be followed by nobody",
        """
        FROM scratch
        ADD files.tar /to/
        """,
        {
            "files.tar": archive(
                [
                    member("up", kind=tarfile.SYMTYPE, to="../../../etc/passwd"),
                    member("abs", kind=tarfile.SYMTYPE, to="/etc/passwd"),
                ]
            )
        },
    ),
    Case(
        "ADD of an archive in GNU's and in pax's format",
        """
        FROM scratch
        ADD gnu.tar /gnu/
        ADD pax.tar /pax/
        ADD ustar.tar /ustar/
        """,
        {
            "gnu.tar": archive([member("d" * 120 + "/" + "n" * 120, "long")], form=1),
            "pax.tar": archive([member("ü/" + "n" * 200, "long", uid=3_000_000)], form=2),
            "ustar.tar": archive([member("d/" * 60 + "n", "long")], form=0),
        },
    ),
    Case(
        "ADD of an archive that a link leads to",
        """
        FROM scratch
        ADD link.tar /to/
        """,
        {"files.tar": archive(MEMBERS), "link.tar": link("files.tar")},
        judges=DOCKERS,
    ),
    Case(
        "ADD of an empty archive",
        """
        FROM scratch
        COPY a.txt /
        ADD empty.tar /to/
        """,
        {"empty.tar": archive([]), "a.txt": "a"},
        judges=DOCKERS,
    ),
    Case(
        "ADD of hard links and empty folders",
        """
        FROM scratch
        ADD d /to
        """,
        {"d/a": "same", "d/b": hard_link("a"), "d/empty": folder(0o711)},
        judges=DOCKERS,
    ),
    Case(
        "ADD with --unpack=false",
        """
        FROM scratch
        ADD --unpack=false files.tar /to/
        """,
        {"files.tar": archive([member("a", "a")])},
        judges=RECENT,
        expected=("'/to/files.tar' 644 0:0 file 10240 bytes 71033e279ba9f1c8",),
    ),
    Case(
        "ADD with --exclude and --link",
        """
        FROM BASE
        ADD --exclude=*.md --link tree /www
        """,
        {"tree/a.md": "a", "tree/b.txt": "b"},
        judges=RECENT,
        expected=("'/www' 755 0:0 dir", "'/www/b.txt' 644 0:0 file 'b'"),
    ),
    Case(
        "ADD of an inline file",
        """
        FROM scratch
        ADD --chmod=640 <<EOF /file
        text
        EOF
        """,
        judges=RECENT,
        expected=(r"'/file' 640 0:0 file 'text\n'",),
    ),
    Case(
        "ADD of a damaged archive is refused",
        """
        FROM scratch
        ADD files.tar.gz /to/
        """,
        {"files.tar.gz": archive([member("a", "a" * 9000)], "gz")[:-20]},
        judges=DOCKERS,
        fails=True,
    ),
)
