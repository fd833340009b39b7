"""What ``.dockerignore`` leaves out."""

from __future__ import annotations

from collections.abc import Mapping

from tests.differential.case import ALL, DOCKERS, Case, Content, Judge, folder, link

FILES: Content = {
    "a.txt": "a",
    "b.md": "b",
    "README.md": "r",
    "src/a.txt": "a",
    "src/b.md": "b",
    "src/deep/a.txt": "a",
    "src/deep/c.o": "c",
    "src/deep/more/d.o": "d",
    "build/out": "o",
    "build/keep/this": "k",
    ".git/config": "c",
    "docs/README.md": "r",
    "empty": folder(),
}


def ignoring(
    name: str,
    patterns: str,
    files: Mapping[str, str] | None = None,
    judges: tuple[Judge, ...] = ALL,
) -> Case:
    """The whole context but for what ``patterns`` leave out."""
    return Case(
        f"Ignoring {name}",
        """
        FROM scratch
        COPY . /
        """,
        {**FILES, **(files or {}), ".dockerignore": patterns},
        judges=judges,
    )


IGNORING = (
    ignoring("a name at the top only", "a.txt\n"),
    ignoring("a directory", "src\n.git/\n"),
    ignoring("with stars", "*.md\n*/*.txt\n"),
    ignoring("at any depth", "**/*.o\n**/README.md\n"),
    ignoring("everything below a directory", "src/**\n"),
    ignoring("everything but", "*\n!src\n!README.md\n"),
    ignoring("everything but what is deep below", "**\n!src/deep/more/d.o\n!**/README.md\n"),
    ignoring("again what was let in", "*.md\n!README.md\nREADME*\n"),
    ignoring("part of what was let in", "build\n!build/keep\n"),
    ignoring("all of what is in a directory", "build/*\n!build/keep\n"),
    ignoring("with comments, blanks and empty lines", "# a comment\n\n  *.md  \n\t a.txt\n#b\n"),
    ignoring("with slashes and dots", "/a.txt\n./b.md\nsrc/../build\nsrc//deep/\n"),
    ignoring("with classes and question marks", "?.txt\nsrc/[a-c].*\n"),
    ignoring("with a mark for the order of bytes and carriage returns", "\ufeffa.txt\r\n*.md\r\n"),
    ignoring("the Dockerfile and the file itself", "Dockerfile\n.dockerignore\n"),
    ignoring("two stars within a path", "src/**/*.txt\n**/deep/**/d.o\n"),
    ignoring("names with regular expressions' signs", "a+b\n(x)\na.txt$\n", {"a+b": "", "(x)": ""}),
    ignoring("an escaped sign", "\\!bang\nstar\\*\n", {"!bang": "", "star*": "", "starx": ""}),
    Case(
        "A source that is ignored is refused",
        """
        FROM scratch
        COPY a.txt /
        """,
        {"a.txt": "a", ".dockerignore": "*.txt\n"},
        fails=True,
    ),
    Case(
        "Ignoring what wildcards and directories would match",
        """
        FROM scratch
        COPY *.txt src /to/
        """,
        {**FILES, "c.txt": "c", ".dockerignore": "a.txt\n**/*.o\n"},
    ),
    Case(
        "An ignore file for this Dockerfile comes first",
        """
        FROM scratch
        COPY . /
        """,
        {**FILES, ".dockerignore": "*.txt\n", "Dockerfile.dockerignore": "*.md\n"},
        judges=DOCKERS,
    ),
    Case(
        "Ignoring what a link leads to",
        """
        FROM scratch
        COPY . /
        """,
        {**FILES, "to-src": link("src"), ".dockerignore": "src\n"},
    ),
)
