"""Where our image is meant to differ from a builder's: all of it, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.differential.case import Judge
from tests.differential.picture import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What a builder does in its own way everywhere, and so is not compared: in both pictures
    ``pattern`` becomes ``becomes``, and a line that becomes empty goes. The case named ``shown_by``
    differs without it."""

    judge: Judge
    why: str
    pattern: str
    becomes: str = ""
    shown_by: str

    def __call__(self, lines: Lines) -> Lines:
        changed = (re.sub(self.pattern, self.becomes, line) for line in lines)
        return tuple(line for line in changed if line)


MANNERS = (
    Manner(
        judge=Judge.BUILDAH,
        why="it writes history in the words of Docker's first builder, and one layer for all",
        pattern=r"history .*",
        shown_by="The last CMD counts",
    ),
    Manner(
        judge=Judge.BUILDAH,
        why="it signs its images with a label",
        pattern=r"Labels\.io\.buildah\.version: .*",
        shown_by="The last CMD counts",
    ),
    Manner(
        judge=Judge.BUILDAH,
        why="it notes the name of a container that it made",
        pattern=r"Hostname: .*",
        shown_by="The last CMD counts",
    ),
    Manner(
        judge=Judge.BUILDAH,
        why="it leaves out a field that only Windows knows, and Docker writes for CMD",
        pattern=r"ArgsEscaped: .*",
        shown_by="The last CMD counts",
    ),
    Manner(
        judge=Judge.BUILDAH,
        why="it says nothing of the root as the working directory, which is the same",
        pattern=r"WorkingDir: '/'$",
        shown_by="From nothing",
    ),
    Manner(
        judge=Judge.DOCKER,
        why="since then BuildKit shows ports, paths and checks in other words",
        pattern=r"(history \d+: (?:EXPOSE|VOLUME|HEALTHCHECK)) .*",
        becomes=r"\1",
        shown_by="EXPOSE of ports, protocols and ranges",
    ),
    Manner(
        judge=Judge.DOCKER,
        why="since then BuildKit shows what value an argument has, not its default alone",
        pattern=r"(history \d+: ARG \w+)=.*",
        becomes=r"\1",
        shown_by="The automatic arguments",
    ),
    Manner(
        judge=Judge.DOCKER,
        why="since then BuildKit shows the owner and mode that were asked for",
        pattern=r"(history \d+: layer (?:COPY|ADD)) (?:--ch(?:own|mod)=\S+ )+",
        becomes=r"\1 ",
        shown_by="--chown by name",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What only our image has and what only theirs has, of one case."""

    why: str
    ours: Lines = ()
    theirs: Lines = ()


_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CAPABILITY = "security.capability=0100000200040000000000000000000000000000"
_NO_CAPABILITY = Difference(
    why="it sets the capability and then the owner, by which Linux takes the capability away",
    ours=(f"'/bin/ping' 755 0:0 file 'ping' {_CAPABILITY}",),
    theirs=("'/bin/ping' 755 0:0 file 'ping'",),
)
_SIGNS = Difference(
    why="Docker's client of 2021, which reads the context, and buildah take + ( ) for signs of a"
    " regular expression; moby/patternmatcher has since come to take them as they are",
    theirs=("'/(x)' 644 0:0 file ''", "'/a+b' 644 0:0 file ''"),
)
_DEEP = Difference(
    why="Docker's client of 2021, which reads the context, and buildah look into a directory that"
    " is left out only if an exception begins with its name; moby/patternmatcher has since come"
    " to look everywhere if there is an exception with a wildcard",
    ours=("'/docs' 755 0:0 dir", "'/docs/README.md' 644 0:0 file 'r'"),
)

DIFFERENCES: dict[tuple[str, Judge], Difference] = {
    ("SHELL is put before commands that follow it", Judge.BUILDAH): Difference(
        why="it knows SHELL for RUN only",
        ours=("Entrypoint: ['/bin/bash', '-o', 'pipefail', '-c', 'after | tee /log']",),
        theirs=("Entrypoint: ['/bin/sh', '-c', 'after | tee /log']",),
    ),
    ("SHELL is inherited from the stage before", Judge.BUILDAH): Difference(
        why="it knows SHELL for RUN only",
        ours=("Cmd: ['/bin/ash', '-c', 'run']",),
        theirs=("Cmd: ['/bin/sh', '-c', 'run']",),
    ),
    ("ENV replaces a variable in its place", Judge.BUILDAH): Difference(
        why="it puts what is new before what was there",
        ours=("Env: ['PATH=/first:/opt/bin:/bin', 'ORIGIN=here', 'NEW=2']",),
        theirs=("Env: ['NEW=2', 'ORIGIN=here', 'PATH=/first:/opt/bin:/bin']",),
    ),
    ("EXPOSE of ports, protocols and ranges", Judge.BUILDAH): Difference(
        why="it keeps the words as they are written",
        ours=(
            "ExposedPorts.443/tcp: {}",
            "ExposedPorts.9000/tcp: {}",
            "ExposedPorts.9001/tcp: {}",
            "ExposedPorts.9002/tcp: {}",
        ),
        theirs=("ExposedPorts.443/TCP: {}", "ExposedPorts.9000-9002/tcp: {}"),
    ),
    ("VOLUME in both forms, beside that of the base", Judge.BUILDAH): Difference(
        why="it makes the directory of a volume",
        theirs=("'/other' 755 0:0 dir", "'/with blank' 755 0:0 dir"),
    ),
    ("VOLUME with a relative path", Judge.BUILDAH): Difference(
        why="it makes the directory of a volume",
        theirs=("'/data' 755 0:0 dir",),
    ),
    ("Another escape character", Judge.BUILDAH): Difference(
        why="it knows another escape character only at the end of a line",
        ours=(
            f"Env: ['{_PATH}', 'DIR=C:\\\\new', 'MORE=one word']",
            "Labels.path: 'C:\\\\\"quoted\"'",
        ),
        theirs=(
            f"Env: ['{_PATH}', 'DIR=C:new', 'MORE=one` word']",
            "Labels.path: 'C:\\\\`quoted`'",
        ),
    ),
    ("ARG after ENV", Judge.BUILDAH): Difference(
        why="ENV always wins there; BuildKit goes by the order",
        ours=("Labels.a: 'arg'",),
        theirs=("Labels.a: 'env'",),
    ),
    ("A platform from an argument", Judge.BUILDAH): Difference(
        why="it takes the variant of another stage's base for the image's own",
        theirs=("variant: v7",),
    ),
    ("COPY from a stage that copied with owners and modes", Judge.DOCKER): Difference(
        why="--chmod had no special bits yet",
        ours=("'/seven' 2750 7:7 file 'a'", "'/to/a.txt' 2750 5:6 file 'a'"),
        theirs=("'/seven' 750 7:7 file 'a'", "'/to/a.txt' 750 5:6 file 'a'"),
    ),
    ("A destination with dots in it", Judge.DOCKER): Difference(
        why="a dot at the end did not mean a directory yet",
        ours=("'/w/sub' 755 0:0 dir", "'/w/sub/a.txt' 644 0:0 file 'a'"),
        theirs=("'/w/sub' 644 0:0 file 'a'",),
    ),
    ("Modes are kept, the special bits too", Judge.BUILDAH): Difference(
        why="it takes set-user-id and set-group-id away from what is copied",
        ours=(
            "'/to/2755' 2755 0:0 file 'x'",
            "'/to/4755' 4755 0:0 file 'x'",
            "'/to/7777' 7777 0:0 file 'x'",
        ),
        theirs=(
            "'/to/2755' 755 0:0 file 'x'",
            "'/to/4755' 755 0:0 file 'x'",
            "'/to/7777' 1777 0:0 file 'x'",
        ),
    ),
    (
        "Modes of directories are kept, but not that of the one that is named",
        Judge.BUILDAH,
    ): Difference(
        why="it takes set-user-id and set-group-id away from what is copied",
        ours=("'/to/group' 2775 0:0 dir",),
        theirs=("'/to/group' 775 0:0 dir",),
    ),
    ("Named pipes", Judge.DOCKER): Difference(
        why="its BuildKit passed over pipes", ours=("'/to/pipe' 644 0:0 fifo",)
    ),
    ("Capabilities of programs", Judge.DOCKER): _NO_CAPABILITY,
    ("Capabilities of programs", Judge.BUILDKIT): _NO_CAPABILITY,
    ("Ignoring names with regular expressions' signs", Judge.DOCKER): _SIGNS,
    ("Ignoring names with regular expressions' signs", Judge.BUILDAH): _SIGNS,
    ("Ignoring names with regular expressions' signs", Judge.BUILDKIT): _SIGNS,
    ("Ignoring everything but what is deep below", Judge.DOCKER): _DEEP,
    ("Ignoring everything but what is deep below", Judge.BUILDAH): _DEEP,
    ("Ignoring everything but what is deep below", Judge.BUILDKIT): _DEEP,
    ("--chmod of files and directories", Judge.DOCKER): Difference(
        why="directories made on the way did not get the mode yet",
        ours=("'/one' 600 0:0 dir", "'/one/two' 600 0:0 dir", "'/three' 750 0:0 dir"),
        theirs=("'/one' 755 0:0 dir", "'/one/two' 755 0:0 dir", "'/three' 755 0:0 dir"),
    ),
    ("--chmod of files and directories", Judge.BUILDAH): Difference(
        why="directories made on the way did not get the mode yet",
        ours=("'/one' 600 0:0 dir", "'/one/two' 600 0:0 dir", "'/three' 750 0:0 dir"),
        theirs=("'/one' 755 0:0 dir", "'/one/two' 755 0:0 dir", "'/three' 755 0:0 dir"),
    ),
    ("ADD with --chmod", Judge.DOCKER): Difference(
        why="directories made on the way did not get the mode yet",
        ours=("'/one' 600 0:0 dir",),
        theirs=("'/one' 755 0:0 dir",),
    ),
    ("ADD with --chmod", Judge.BUILDAH): Difference(
        why="directories made on the way did not get the mode yet",
        ours=("'/one' 600 0:0 dir",),
        theirs=("'/one' 755 0:0 dir",),
    ),
    ("--chmod and --chown together", Judge.DOCKER): Difference(
        why="directories made on the way did not get the mode yet",
        ours=("'/data/tree' 640 1000:1001 dir",),
        theirs=("'/data/tree' 755 1000:1001 dir",),
    ),
    ("--chmod and --chown together", Judge.BUILDAH): Difference(
        why="directories made on the way did not get the mode yet",
        ours=("'/data/tree' 640 1000:1001 dir",),
        theirs=("'/data/tree' 755 1000:1001 dir",),
    ),
    ("--chmod leaves links alone", Judge.DOCKER): Difference(
        why="directories made on the way did not get the mode yet",
        ours=("'/to' 700 0:0 dir",),
        theirs=("'/to' 755 0:0 dir",),
    ),
    ("ADD with --chown", Judge.DOCKER): Difference(
        why="what came out of an archive did not get the owner yet",
        ours=(
            "'/two/dir' 750 7:8 dir",
            "'/two/dir/hard' 755 7:8 file 'run'",
            "'/two/dir/link' 7:8 -> run",
            "'/two/dir/run' 755 7:8 == /two/dir/hard",
            "'/two/implied/file' 644 7:8 file 'implied'",
            "'/two/top' 644 7:8 file 'top'",
        ),
        theirs=(
            "'/two/dir' 750 3:4 dir",
            "'/two/dir/hard' 755 3:4 file 'run'",
            "'/two/dir/link' 0:0 -> run",
            "'/two/dir/run' 755 3:4 == /two/dir/hard",
            "'/two/implied/file' 644 0:0 file 'implied'",
            "'/two/top' 644 0:0 file 'top'",
        ),
    ),
    ("ADD with --chown", Judge.BUILDAH): Difference(
        why="what came out of an archive did not get the owner yet",
        ours=(
            "'/two/dir' 750 7:8 dir",
            "'/two/dir/hard' 755 7:8 file 'run'",
            "'/two/dir/link' 7:8 -> run",
            "'/two/dir/run' 755 7:8 == /two/dir/hard",
            "'/two/implied' 755 0:0 dir",
            "'/two/implied/file' 644 7:8 file 'implied'",
            "'/two/top' 644 7:8 file 'top'",
        ),
        theirs=(
            "'/two/dir' 750 3:4 dir",
            "'/two/dir/hard' 755 3:4 file 'run'",
            "'/two/dir/link' 0:0 -> run",
            "'/two/dir/run' 755 3:4 == /two/dir/hard",
            "'/two/implied' 755 7:8 dir",
            "'/two/implied/file' 644 0:0 file 'implied'",
            "'/two/top' 644 0:0 file 'top'",
        ),
    ),
}

STRICTER = {
    "--chown by a name that nobody has": "BuildKit takes it for root, which nobody can have meant",
    "A wildcard for several files, to one name": "BuildKit leaves one of them there",
    "Names that mean something in a layer": "in BuildKit's layer they delete, and are not there",
}
"""Cases that we refuse and BuildKit builds, and why."""
