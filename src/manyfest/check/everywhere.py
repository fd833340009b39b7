"""An image checked in every place where it should be: complete, right, and the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from msgspec import Struct
from msgspec.structs import replace

from manyfest.check.agreement import agreed
from manyfest.check.instead import Instead, find_instead
from manyfest.check.places import Places
from manyfest.check.readiness import Readiness, readiness, with_findings
from manyfest.check.report import Finding
from manyfest.check.signed import WhyUnsigned, with_signatures
from manyfest.copy import JOBS
from manyfest.errors import ManyfestError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Reference
from manyfest.progress import NoProgress, Progress
from manyfest.stores.base import Source
from manyfest.stores.open import Stores, require_there
from manyfest.threads import together, workers


class Answer(Struct, frozen=True):
    """Of one place: whether the image is complete there, what is wrong with it as far as it was
    read, and what serves a platform that is not ready."""

    readiness: Readiness
    faults: tuple[Finding, ...] = ()
    instead: tuple[Instead, ...] = ()

    @property
    def is_yes(self) -> bool:
        """Whether nothing is missing and nothing is wrong."""
        return self.readiness.ready and not self.faults


def check_everywhere(
    stores: Stores,
    places: Places,
    wanted: Sequence[Platform] = (),
    *,
    deep: bool = False,
    why_unsigned: WhyUnsigned | None = None,
    progress: Progress | None = None,
) -> tuple[list[Answer], list[ManyfestError]]:
    """The answer of each place, in their order, and the errors of those that could not tell.

    Without platforms that are ``wanted`` it is about all that any of the places has. With ``deep``
    every byte of what is complete is read, and what reading it raises is raised. With
    ``why_unsigned`` all must be signed too.
    """
    with ExitStack() as opened:
        sources = {each: opened.enter_context(stores.source(each)) for each in places.references}
        looked = _look(sources, wanted, why_unsigned)
        answers = {at: Answer(each) for at, each in looked.items() if isinstance(each, Readiness)}
        if deep:
            for at, answer in answers.items():
                answers[at] = _read_through(sources[at], answer, wanted, progress or NoProgress())
        for group in places.groups:
            known = [each for each in group if each in answers]
            held = agreed([answers[each].readiness for each in known])
            for at, each in zip(known, held, strict=True):
                name = at.image
                instead = find_instead(sources[at], name, each, why_unsigned) if name else ()
                answers[at] = replace(answers[at], readiness=each, instead=instead)
    silent = [each for each in looked.values() if isinstance(each, ManyfestError)]
    return list(answers.values()), silent


def _look(
    sources: Mapping[Reference, Source],
    wanted: Sequence[Platform],
    why_unsigned: WhyUnsigned | None,
) -> dict[Reference, Readiness | ManyfestError]:
    def look(reference: Reference) -> Readiness | ManyfestError:
        source = sources[reference]
        try:
            require_there(reference)
            answer = readiness(source, reference.target, wanted, str(reference))
            return with_signatures(source, answer, why_unsigned) if why_unsigned else answer
        except ManyfestError as error:
            return error

    with workers(JOBS, "check") as pool:
        return dict(zip(sources, together(pool, look, sources), strict=True))


def _read_through(
    source: Source, answer: Answer, wanted: Sequence[Platform], progress: Progress
) -> Answer:
    """Read all of what is complete, and note what is wrong and what is mislabelled."""
    from manyfest.check.image import check_image

    if not answer.readiness.ready:
        return answer
    root = source.resolve(answer.readiness.digest)
    findings = check_image(source, root, platforms=wanted, progress=progress).findings
    return Answer(with_findings(answer.readiness, findings), findings)
