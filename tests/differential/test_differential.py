"""Every case of :mod:`tests.differential.cases`, built natively and by real builders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.layout import LayoutStore
from tests import real
from tests.differential.case import Case, Judge
from tests.differential.cases import CASES
from tests.differential.conftest import Build
from tests.differential.differences import DIFFERENCES, MANNERS, STRICTER, Difference, Manner
from tests.differential.judges import Bench, Refused
from tests.differential.picture import Lines, files_on_disk, picture

pytestmark = pytest.mark.real

BY_NAME = {case.name: case for case in CASES}
BUILT = [case for case in CASES if not case.fails and case.name not in STRICTER]
IN_CI = {Judge.DOCKER, Judge.BUILDAH}


def judged(*, fails: bool) -> list[object]:
    """Each case with each of its judges."""
    return [
        pytest.param(judge, case, id=f"{judge}-{case.slug}")
        for judge in Judge
        for case in (CASES if fails else BUILT)
        if judge in case.judges and case.fails is fails
    ]


def slug(case: Case) -> str:
    return case.slug


def ours_of(case: Case, bench: Bench) -> Lines:
    with LayoutStore(bench.layout(case)) as layout:
        return picture(layout, "image")


def theirs_of(case: Case, build: Build) -> Lines:
    with ArchiveStore(build(case)) as archive:
        return picture(archive, "@0")


def compared(ours: Lines, theirs: Lines, manners: Iterable[Manner]) -> tuple[Lines, Lines]:
    """The lines that only one of two pictures has, but for the builder's manners."""
    for manner in manners:
        ours, theirs = manner(ours), manner(theirs)
    return (
        tuple(line for line in ours if line not in theirs),
        tuple(line for line in theirs if line not in ours),
    )


@pytest.mark.parametrize(("judge", "case"), judged(fails=False))
def test_the_image_is_the_one_a_real_builder_makes(
    judge: Judge, case: Case, bench: Bench, build: Build
) -> None:
    manners = [manner for manner in MANNERS if manner.judge is judge]
    known = DIFFERENCES.get((case.name, judge), Difference(why=""))
    found = compared(ours_of(case, bench), theirs_of(case, build), manners)
    assert found == (known.ours, known.theirs)


@pytest.mark.parametrize(("judge", "case"), judged(fails=True))
def test_what_is_wrong_is_refused_by_all(
    judge: Judge, case: Case, bench: Bench, build: Build
) -> None:
    with pytest.raises(Refused):
        bench.layout(case)
    with pytest.raises(Refused):
        build(case)


@pytest.mark.parametrize(
    ("judge", "case"),
    [
        pytest.param(judge, BY_NAME[name], id=f"{judge}-{BY_NAME[name].slug}")
        for name in STRICTER
        for judge in BY_NAME[name].judges
    ],
)
def test_what_nobody_can_have_meant_is_refused_though_a_builder_takes_it(
    judge: Judge, case: Case, bench: Bench, build: Build
) -> None:
    with pytest.raises(Refused):
        bench.layout(case)
    assert build(case).exists()


@pytest.mark.parametrize("case", [case for case in CASES if case.expected], ids=slug)
def test_the_image_is_as_the_table_says(case: Case, bench: Bench) -> None:
    ours = ours_of(case, bench)
    assert [line for line in case.expected if line not in ours] == []


@pytest.mark.parametrize(
    ("judge", "case", "manner"),
    [
        pytest.param(each.judge, BY_NAME[each.shown_by], each, id=f"{each.judge}, {each.why}")
        for each in MANNERS
    ],
)
def test_no_manner_of_a_builder_is_listed_in_vain(
    judge: Judge, case: Case, manner: Manner, bench: Bench, build: Build
) -> None:
    others = [each for each in MANNERS if each.judge is judge and each is not manner]
    assert compared(ours_of(case, bench), theirs_of(case, build), others) != ((), ())


def test_every_known_difference_is_one_of_a_case_and_its_judge() -> None:
    """That it is there, and no more than that, the comparison shows."""
    assert [key for key in DIFFERENCES if key[1] not in BY_NAME[key[0]].judges] == []
    assert [key for key, each in DIFFERENCES.items() if not (each.ours or each.theirs)] == []


def test_every_case_is_judged_in_ci_by_a_builder_or_a_literal_expectation() -> None:
    assert [c.name for c in CASES if not (c.expected or c.fails or IN_CI & set(c.judges))] == []


@pytest.mark.parametrize("case", BUILT, ids=slug)
def test_umoci_unpacks_of_our_image_what_its_picture_shows(
    case: Case, bench: Bench, tmp_path: Path
) -> None:
    assert unpacked(f"{bench.layout(case)}:image", tmp_path) == only_files(ours_of(case, bench))


@pytest.mark.parametrize(
    ("judge", "case"),
    [
        pytest.param(judge, BY_NAME[name], id=f"{judge}-{BY_NAME[name].slug}")
        for judge in sorted(IN_CI)
        for name in ("ADD unpacks gz archives", "A directory into one that is there")
    ],
)
def test_umoci_unpacks_of_their_image_what_its_picture_shows(
    judge: Judge, case: Case, build: Build, tmp_path: Path
) -> None:
    layout = f"{tmp_path / 'layout'}:image"
    real.output_of("skopeo", "copy", f"docker-archive:{build(case)}", f"oci:{layout}")
    assert unpacked(layout, tmp_path) == only_files(theirs_of(case, build))


def unpacked(image: str, folder: Path) -> Lines:
    real.need_programs("umoci")
    real.output_of("umoci", "unpack", "--image", image, folder / "bundle")
    return tuple(files_on_disk(folder / "bundle" / "rootfs"))


def only_files(lines: Lines) -> Lines:
    return tuple(line for line in lines if line.startswith(("'/", '"/')))


INSTRUCTIONS = (
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD SHELL"
    " STOPSIGNAL USER VOLUME WORKDIR".split()
)
FLAGS = (
    "FROM --platform, COPY --from, COPY --chown, COPY --chmod, COPY --link, COPY --parents,"
    " COPY --exclude, ADD --chown, ADD --chmod, ADD --link, ADD --exclude, ADD --unpack,"
    " HEALTHCHECK --interval, HEALTHCHECK --timeout, HEALTHCHECK --start-period,"
    " HEALTHCHECK --start-interval, HEALTHCHECK --retries".split(", ")
)


def test_the_cases_cover_every_instruction_and_every_flag() -> None:
    """But for RUN, and the flags of ADD for what is fetched from a network."""
    lines = [line.strip() for case in BUILT for line in case.dockerfile.splitlines()]
    used = {
        (keyword, flag.partition("=")[0])
        for line in lines
        for keyword, *flags in [line.split()[:9] or [""]]
        for flag in ("", *flags)
    }
    assert [each for each in INSTRUCTIONS if (each, "") not in used] == []
    assert [each for each in FLAGS if tuple(each.split()) not in used] == []
