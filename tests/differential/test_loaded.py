"""What we build is loaded and run: the files are there for a program within the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import real
from tests.differential.case import Case, file, folder, hard_link, link, pipe
from tests.docker_daemon import client_of
from tests.integration.conftest import MANYFEST
from tests.runtimes import podman_in

pytestmark = pytest.mark.real

BUSYBOX = Path("/bin/busybox")
LIST = "cd /odd && find . -exec stat -c '%n %a %u:%g %F %h' {} + | sort && readlink sub/link"
DOCKERFILE = f"""
FROM scratch
COPY busybox /bin/
COPY --chown=1234:5678 odd /odd/
ENTRYPOINT ["/bin/busybox", "sh", "-c", "{LIST}"]
"""
LISTED = """\
. 755 1234:5678 directory 3
./pipe 644 1234:5678 fifo 1
./set-uid 4755 1234:5678 regular file 1
./sub 1777 1234:5678 directory 2
./sub/link 777 1234:5678 symbolic link 1
./sub/one 644 1234:5678 regular file 2
./sub/two 644 1234:5678 regular file 2
./ö x 0 1234:5678 regular empty file 1
../../bin/busybox"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of ours with odd files and a program that lists them."""
    real.need("busybox-static is not installed", met=BUSYBOX.exists())
    real.need_root()
    context = tmp_path_factory.mktemp("odd")
    case = Case(
        "odd files",
        DOCKERFILE,
        {
            "busybox": file(BUSYBOX.read_bytes(), 0o755),
            "odd/set-uid": file("x", 0o4755),
            "odd/ö x": file("", 0),
            "odd/pipe": pipe(),
            "odd/sub": folder(0o1777),
            "odd/sub/one": "same",
            "odd/sub/two": hard_link("one"),
            "odd/sub/link": link("../../bin/busybox"),
        },
    )
    case.write(context / "context", {"BASE": "base"})
    path = context / "odd.tar"
    real.output_of(MANYFEST, "build", context / "context", "-o", f"oci-archive:{path}:odd:v1")
    return path


def test_docker_runs_it(archive: Path, docker_host: str) -> None:
    docker = client_of(docker_host)
    real.output_of(*docker, "load", "--input", archive)
    assert real.output_of(*docker, "run", "--rm", "--network=none", "odd:v1") == LISTED


def test_podman_unpacks_it(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    podman = podman_in(tmp_path_factory.mktemp("p"))
    podman("load", "--input", str(archive))
    root = podman("image", "mount", "odd:v1")
    assert real.output_of("sh", "-c", LIST.replace("/odd", f"{root}/odd")) == LISTED
    podman("image", "unmount", "odd:v1")
