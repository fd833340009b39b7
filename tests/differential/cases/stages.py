"""Where images start from, and stages that use each other."""

from __future__ import annotations

from tests.differential.case import DOCKERS, RECENT, Case, Judge, file, link

STAGES = (
    Case(
        "From nothing",
        """
        FROM scratch
        COPY a.txt /
        """,
        {"a.txt": "a"},
    ),
    Case(
        "A base keeps its files and configuration",
        """
        FROM BASE
        COPY a.txt /
        """,
        {"a.txt": "a"},
    ),
    Case(
        "A base without anything in its configuration",
        """
        FROM BARE
        COPY a.txt /
        """,
        {"a.txt": "a"},
    ),
    Case(
        "A base for the platform that is built for",
        """
        FROM BASE
        COPY a.txt /
        """,
        {"a.txt": "a"},
        platform="linux/arm64",
    ),
    Case(
        "A base for a platform with a variant",
        """
        FROM BASE
        LABEL a=b
        """,
        platform="linux/arm/v7",
    ),
    Case(
        "Files from an image of a fixed platform",
        """
        FROM --platform=linux/arm64 BARE AS other
        FROM scratch
        COPY --from=other /etc/platform /
        """,
    ),
    Case(
        "A platform from an argument",
        """
        ARG WHICH=linux/arm64
        FROM --platform=$WHICH BARE AS other
        FROM scratch
        COPY --from=other /etc/platform /
        """,
        build_args={"WHICH": "linux/arm/v7"},
    ),
    Case(
        "COPY from a stage by name, in any case, and by number",
        """
        FROM scratch AS Files
        COPY a.txt /one/
        FROM scratch
        COPY b.txt /two/
        FROM scratch
        COPY --from=files /one /by-name
        COPY --from=FILES /one/a.txt /by-case/
        COPY --from=1 two/b.txt /by-number/
        """,
        {"a.txt": "a", "b.txt": "b"},
        judges=DOCKERS,
    ),
    Case(
        "COPY from an image",
        """
        FROM scratch
        COPY --from=BASE /etc /etc
        COPY --from=BASE /data/ /srv/www/index /to/
        """,
    ),
    Case(
        "COPY from an image keeps owners, modes and links",
        """
        FROM scratch
        COPY --from=BASE / /all/
        """,
    ),
    Case(
        "COPY from an image through its links",
        """
        FROM scratch
        COPY --from=BASE /www/index /bin/tool /current /to/
        COPY --from=BASE /www /dir/
        """,
    ),
    Case(
        "COPY with wildcards from a stage",
        """
        FROM scratch AS files
        COPY . /
        FROM scratch
        COPY --from=files /d/*.txt /?.txt /to/
        """,
        {"d/a.txt": "a", "d/b.txt": "b", "d/c.md": "c", "x.txt": "x", "yy.txt": "y"},
    ),
    Case(
        "COPY from a stage that copied with owners and modes",
        """
        FROM scratch AS files
        COPY --chown=5:6 --chmod=2750 a.txt /d/
        FROM scratch
        COPY --from=files /d /to/
        COPY --from=files --chown=7 /d/a.txt /seven
        """,
        {"a.txt": "a"},
    ),
    Case(
        "A stage that starts from another goes on with its files and configuration",
        """
        FROM BASE AS one
        ENV A=1
        WORKDIR /one
        COPY a.txt .
        USER app
        FROM one
        ENV B=$A
        COPY b.txt .
        """,
        {"a.txt": "a", "b.txt": "b"},
    ),
    Case(
        "Stages that the target does not need are left out",
        """
        FROM scratch AS broken
        COPY missing /
        FROM scratch
        COPY a.txt /
        """,
        {"a.txt": "a"},
        judges=DOCKERS,
    ),
    Case(
        "The stage that is asked for",
        """
        FROM scratch AS one
        COPY a.txt /
        LABEL stage=one
        FROM scratch AS two
        COPY b.txt /
        """,
        {"a.txt": "a", "b.txt": "b"},
        target="one",
    ),
    Case(
        "The stage that is asked for by number",
        """
        FROM scratch
        COPY a.txt /
        FROM scratch
        COPY b.txt /
        """,
        {"a.txt": "a", "b.txt": "b"},
        target="0",
        judges=(Judge.BUILDAH,),
    ),
    Case(
        "COPY from a later stage by its name is refused",
        """
        FROM scratch AS one
        COPY --from=two /a.txt /b.txt
        FROM scratch AS two
        COPY a.txt /
        FROM one
        """,
        {"a.txt": "a"},
        fails=True,
    ),
    Case(
        "COPY from a later stage by its number is refused",
        """
        FROM scratch AS one
        COPY --from=1 / /
        FROM scratch
        COPY a.txt /
        FROM one
        """,
        {"a.txt": "a"},
        judges=RECENT,
        fails=True,
    ),
    Case(
        "Hard links and programs from a stage",
        """
        FROM scratch AS files
        COPY bin /bin/
        FROM scratch
        COPY --from=files /bin /usr/bin
        """,
        {"bin/run": file("#!/bin/sh\n", 0o755), "bin/sh": link("run")},
    ),
    Case(
        "A later layer replaces a file, and a directory's mode",
        """
        FROM BASE
        COPY new /data/old
        COPY tree /srv/
        """,
        {"new": file("new", 0o755), "tree/www/index": "other", "tree/www/more": "more"},
    ),
)
