"""Whether what a container would run is there, and is something that a kernel can run.

Followed as runc and Linux do it: a name without a slash is looked for in PATH, any other is
relative to the working directory; links are followed inside the image; a script needs its
interpreter.
"""

from __future__ import annotations

import posixpath

from msgspec import Struct

from manyfest.check.elf import Elf
from manyfest.check.programs import Program, Script
from manyfest.layers.entry import EntryType
from manyfest.layers.tree import Leaf, Tree
from manyfest.oci.config import RunConfig

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What Docker, containerd and Podman set where the image sets no PATH."""

_MAX_SCRIPTS = 5
"""Scripts that are run by scripts: Linux stops here (fs/exec.c)."""

_MAKE_EXECUTABLE = "copy it with --chmod=0755, or make it executable before"


class Fault(Struct, frozen=True):
    """Why the entrypoint cannot run: at which path, what, and how to mend it."""

    path: str
    what: str
    mend: str = ""


def command(run: RunConfig) -> tuple[str, ...]:
    """What a container runs unless it is told otherwise."""
    return (*run.entrypoint, *run.cmd)


def entrypoint_fault(tree: Tree[Program], run: RunConfig) -> Fault | None:
    """Why the first word of the command cannot run in ``tree``; ``None`` if it can.

    An image without a command has no fault: it is a base for others, or is told what to run.
    Users are not considered: a file is executable if any of its three bits says so. Nor are the
    shared libraries of a program, and its dynamic loader.
    """
    words = command(run)
    if not words:
        return None
    if not words[0]:
        return Fault("entrypoint", "its first word is empty", "name a program")
    path = _locate(tree, words[0], run)
    if isinstance(path, Fault):
        return _no_shell(words) if _is_shell_form(words) else path
    fault = _file_fault(tree, path)
    if fault is not None and _is_shell_form(words) and tree.find(path) is None:
        return _no_shell(words)
    return fault or _start_fault(tree, path, run.working_dir)


def _locate(tree: Tree[Program], word: str, run: RunConfig) -> str | Fault:
    """The path that ``word`` means; in PATH the first file that is executable is taken."""
    if "/" in word:
        return _absolute(run.working_dir, word)
    folders = _search_path(run)
    almost: Fault | None = None
    for folder in folders:
        path = posixpath.join(folder, word)
        fault = _file_fault(tree, path)
        if fault is None:
            return path
        if tree.find(path, follow=False) is not None:
            almost = almost or fault
    return almost or Fault(
        word,
        f"is the entrypoint, but is in no folder of PATH ({':'.join(folders)})",
        "name it by its whole path, or copy it into one of them",
    )


def _absolute(working_dir: str, path: str) -> str:
    """``path`` seen from the root. Its ``..`` stay: where they lead, links decide."""
    parts = posixpath.join("/", working_dir, path).split("/")
    return "/" + "/".join(part for part in parts if part not in {"", "."})


def _search_path(run: RunConfig) -> list[str]:
    """PATH's absolute folders: what is found through others, runc refuses to run."""
    values = [entry.partition("=")[2] for entry in run.env if entry.startswith("PATH=")]
    value = values[-1] if values else DEFAULT_PATH
    return [folder for folder in value.split(":") if folder.startswith("/")]


def _file_fault(tree: Tree[Program], path: str) -> Fault | None:
    """Why the file at ``path`` cannot be executed, whatever is in it."""
    node = tree.find(path)
    if node is None:
        link = tree.find(path, follow=False)
        if isinstance(link, Leaf):
            return Fault(path, f"is a symbolic link to {link.target!r}, which leads nowhere")
        return Fault(path, "does not exist in the image", "copy it there, or correct the path")
    if not isinstance(node, Leaf) or node.type is not EntryType.FILE:
        kind = node.type if isinstance(node, Leaf) else "directory"
        return Fault(path, f"is a {kind}, not a program")
    if not node.mode & 0o111:
        return Fault(path, f"is not executable, its mode is {node.mode:04o}", _MAKE_EXECUTABLE)
    return None


def _start_fault(tree: Tree[Program], path: str, working_dir: str) -> Fault | None:
    """Why the kernel cannot start the executable file at ``path``."""
    for _ in range(_MAX_SCRIPTS):
        node = tree.find(path)
        program = node.note if isinstance(node, Leaf) else None
        if program is None:
            return Fault(path, "is neither an ELF program nor a script with #! in its first line")
        if isinstance(program, Elf) and not program.is_program:
            return Fault(
                path, "is an ELF file, but no program: an object file, or for no processor"
            )
        if not isinstance(program, Script):
            return None
        interpreter = _absolute(working_dir, program.interpreter)
        fault = _interpreter_fault(tree, path, program, interpreter)
        if fault is not None:
            return fault
        path = interpreter
    return Fault(path, f"is run through more than {_MAX_SCRIPTS} scripts, which Linux refuses")


def _interpreter_fault(
    tree: Tree[Program], path: str, script: Script, interpreter: str
) -> Fault | None:
    if not script.interpreter:
        return Fault(path, "is a script whose first line names no interpreter after #!")
    fault = _file_fault(tree, interpreter)
    if fault is None:
        return None
    # A line that ends as on Windows names a program whose name ends in a carriage return.
    mend = "give the file Unix line ends" if interpreter.endswith("\r") else fault.mend
    return Fault(path, f"is a script for {script.interpreter!r}, which {fault.what}", mend)


def _is_shell_form(words: tuple[str, ...]) -> bool:
    return len(words) > 1 and words[1] == "-c" and posixpath.basename(words[0]).endswith("sh")


def _no_shell(words: tuple[str, ...]) -> Fault:
    return Fault(
        words[0],
        "is the shell that runs the entrypoint, but there is no such shell in the image",
        'write the entrypoint as a list of words, ["/program", "argument"], or add a shell',
    )
