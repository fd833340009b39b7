from __future__ import annotations

import pytest

from manyfest.check.entrypoint import Fault, command, entrypoint_fault
from manyfest.check.programs import Program, read_program
from manyfest.layers.tree import Tree
from manyfest.oci.config import RunConfig
from tests.unit.check_images import (
    AMD64,
    Item,
    directory,
    elf,
    file,
    hardlink,
    program,
    reader,
    symlink,
)


def tree(*items: Item) -> Tree[Program]:
    return Tree.stack(
        [Tree.of_layer((entry, read_program(entry, reader(content))) for entry, content in items)]
    )


def script(name: str, line: str) -> Item:
    return program(name, line.encode())


IMAGE = tree(
    program("app"),
    program("bin/busybox"),
    hardlink("bin/sh", "bin/busybox"),
    program("usr/local/bin/tool"),
    symlink("usr/bin/alias", "../local/bin/tool"),
    symlink("sbin", "usr/local/bin"),
    program("opt/app/run"),
    script("start", "#!/bin/sh\nexec app\n"),
    script("spaced", "#! \t/bin/sh -e\n"),
    script("through", "#!/start\n"),
    program("pie", elf(62, type_=3)),
)


@pytest.mark.parametrize(
    "run",
    [
        RunConfig(),
        RunConfig(entrypoint=("/app",)),
        RunConfig(entrypoint=("/app",), cmd=("/none",)),
        RunConfig(cmd=("/app", "--help")),
        RunConfig(entrypoint=("/pie",)),
        RunConfig(entrypoint=("tool",)),
        RunConfig(entrypoint=("alias",)),
        RunConfig(entrypoint=("/sbin/tool",)),
        RunConfig(entrypoint=("/usr/bin/../bin/alias",)),
        RunConfig(entrypoint=("run",), env=("PATH=/usr/bin:/opt/app",)),
        RunConfig(entrypoint=("./run",), working_dir="/opt/app"),
        RunConfig(entrypoint=("app/run",), working_dir="/opt"),
        RunConfig(entrypoint=("../../app",), working_dir="/opt/app"),
        RunConfig(entrypoint=("./app",)),
        RunConfig(entrypoint=("/bin/sh", "-c", "app --serve")),
        RunConfig(entrypoint=("sh", "-c", "app")),
        RunConfig(entrypoint=("/start",)),
        RunConfig(entrypoint=("/spaced",)),
        RunConfig(entrypoint=("/through",)),
    ],
)
def test_what_can_be_run(run: RunConfig) -> None:
    assert entrypoint_fault(IMAGE, run) is None


BROKEN = tree(
    file("plain", AMD64),
    file("text", b"echo hello\n", 0o755),
    file("empty", b"", 0o755),
    directory("folder"),
    symlink("lost", "/nowhere/app"),
    symlink("loop", "loop"),
    program("object", elf(62, type_=1)),
    program("bpf", elf(247)),
    script("unnamed", "#!\n"),
    script("nobody", "#!/bin/bash\n"),
    script("windows", "#!/bin/tool\r\necho\r\n"),
    script("itself", "#!/itself\n"),
    script("long", f"#!/{'x' * 300}\n"),
    program("bin/tool"),
    file("usr/bin/almost", AMD64),
)


@pytest.mark.parametrize(
    ("word", "path", "what"),
    [
        ("", "entrypoint", "its first word is empty"),
        ("/none", "/none", "does not exist in the image"),
        ("./none", "/none", "does not exist in the image"),
        ("/plain/app", "/plain/app", "does not exist in the image"),
        ("/plain", "/plain", "is not executable, its mode is 0644"),
        ("almost", "/usr/bin/almost", "is not executable, its mode is 0644"),
        ("/folder", "/folder", "is a directory, not a program"),
        ("/lost", "/lost", "is a symbolic link to '/nowhere/app', which leads nowhere"),
        ("/loop", "/loop", "is a symbolic link to 'loop', which leads nowhere"),
        (
            "none",
            "none",
            "is the entrypoint, but is in no folder of PATH"
            " (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)",
        ),
        (
            "/text",
            "/text",
            "is neither an ELF program nor a script with #! in its first line",
        ),
        (
            "/empty",
            "/empty",
            "is neither an ELF program nor a script with #! in its first line",
        ),
        (
            "/object",
            "/object",
            "is an ELF file, but no program: an object file, or for no processor",
        ),
        ("/bpf", "/bpf", "is an ELF file, but no program: an object file, or for no processor"),
        ("/unnamed", "/unnamed", "is a script whose first line names no interpreter after #!"),
        ("/long", "/long", "is a script whose first line names no interpreter after #!"),
        (
            "/nobody",
            "/nobody",
            "is a script for '/bin/bash', which does not exist in the image",
        ),
        (
            "/windows",
            "/windows",
            r"is a script for '/bin/tool\r', which does not exist in the image",
        ),
        ("/itself", "/itself", "is run through more than 5 scripts, which Linux refuses"),
    ],
)
def test_what_cannot_be_run(word: str, path: str, what: str) -> None:
    fault = entrypoint_fault(BROKEN, RunConfig(entrypoint=(word,)))
    assert fault is not None
    assert (fault.path, fault.what) == (path, what)


def test_a_file_with_windows_line_ends_is_told_so() -> None:
    fault = entrypoint_fault(BROKEN, RunConfig(entrypoint=("/windows",)))
    assert fault is not None
    assert fault.mend == "give the file Unix line ends"


@pytest.mark.parametrize("shell", ["/bin/sh", "sh", "/bin/bash"])
def test_the_shell_form_needs_a_shell(shell: str) -> None:
    run = RunConfig(entrypoint=(shell, "-c", "/app --serve"))
    assert entrypoint_fault(tree(program("app")), run) == Fault(
        shell,
        "is the shell that runs the entrypoint, but there is no such shell in the image",
        'write the entrypoint as a list of words, ["/program", "argument"], or add a shell',
    )


def test_folders_of_path_that_are_not_absolute_are_not_searched() -> None:
    run = RunConfig(entrypoint=("app",), env=("PATH=:.:bin",))
    assert entrypoint_fault(IMAGE, run) == Fault(
        "app",
        "is the entrypoint, but is in no folder of PATH ()",
        "name it by its whole path, or copy it into one of them",
    )


def test_the_first_executable_in_path_is_taken() -> None:
    image = tree(file("a/app", AMD64), file("b/app", b"text", 0o755), program("c/app"))
    run = RunConfig(entrypoint=("app",), env=("PATH=/a:/b:/c",))
    fault = entrypoint_fault(image, run)
    assert fault is not None
    assert fault.path == "/b/app"


def test_the_command_is_the_entrypoint_and_its_default_arguments() -> None:
    assert command(RunConfig(entrypoint=("/app",), cmd=("--help",))) == ("/app", "--help")
    assert command(RunConfig(cmd=("sh",))) == ("sh",)
