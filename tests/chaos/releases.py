"""Releases that are killed again and again, and two at once, while clients keep pulling.

``python -m tests.chaos.releases 200`` kills 200 releases at random instants, lets each go on, and
has probers pull every tag for every platform throughout; then it starts releases of the same
version two at a time. It prints what came of it.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

from msgspec import Struct, field

from tests.chaos.prober import Seen, probing
from tests.chaos.proxy import Action, Call, Exchange, Proxy
from tests.chaos.scene import Ended, Places, Project, places

GROUP = 10
"""Releases in one repository; then comes a new one, so that a prober's round stays short."""


class KillAt:
    """Kills a process at its ``number``-th request to any registry: before that is passed on, or,
    if ``late``, when the registry has done it and nobody knows yet."""

    def __init__(self, number: int, *, late: bool) -> None:
        self.process: subprocess.Popen[str] | None = None
        self._number = number
        self._late = late
        self._count = count(1)

    async def choose(self, exchange: Exchange, proxy: Proxy) -> Action:
        return Call(self._kill, late=self._late) if next(self._count) == self._number else None

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()


class Uploads:
    """Which blobs each registry has taken in one repository, run by run; none is to be sent that
    was there before the run began."""

    def __init__(self, proxies: tuple[Proxy, Proxy]) -> None:
        self.bytes = 0
        self.taken: set[tuple[str, str]] = set()
        self._proxies = proxies

    def note(self, *, undisturbed: bool = False) -> None:
        """Look at a run's exchanges. An ``undisturbed`` one sends no byte for nothing, either."""
        for proxy in self._proxies:
            sent = [each for each in proxy.log if each.is_upload]
            finished = Counter((proxy.upstream, each.uploaded) for each in sent if each.uploaded)
            again = finished.keys() & self.taken
            assert not again, f"uploaded again: {again}"
            assert not undisturbed or set(finished.values()) <= {1}, finished
            assert not undisturbed or all(each.uploaded for each in sent), sent
            self.taken |= finished.keys()
            self.bytes += sum(each.sent for each in sent)


class Tally(Struct):
    """What came of killed releases. ``moments`` counts where kills fell; ``elsewhere`` are the
    releases that went on without what the killed run left on disk; ``seen`` are the probers'."""

    releases: int = 0
    kills: int = 0
    elsewhere: int = 0
    uploads: int = 0
    uploaded_bytes: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    seen: list[Seen] = field(default_factory=list)


class Kills:
    """Releases of one version after another, each killed at random instants and then finished."""

    def __init__(self, place: Places, folder: Path, *, seed: int, layer_bytes: int) -> None:
        self.tally = Tally()
        self._place = place
        self._chance = random.Random(seed)
        self._project = Project(folder / "disturbed", layer_bytes)
        self._calm = Project(folder / "calm", layer_bytes)
        self._seconds = 0.0
        self._requests = 0

    def run(self, releases: int) -> Tally:
        """So many releases that were killed. Raises ``AssertionError`` when something false is
        found."""
        for number in count(1):
            if self.tally.releases >= releases:
                break
            self._group(f"app{number}", releases)
            print(f"{self.tally.releases} of {releases} …", file=sys.stderr, flush=True)
        return self.tally

    def _group(self, repository: str, releases: int) -> None:
        """Releases in one repository, with probers at work."""
        uploads = Uploads(self._place.proxies)
        assets = self._chance.randrange(1 << 30)
        with probing(self._place.registries, repository, seed=assets) as seen:
            for number in range(GROUP):
                if self.tally.releases < releases:
                    version = f"1.{number // 4}.{number % 4}"
                    self._release(f"{version}", repository, assets, uploads)
        allowed = set(self._place.calm.tags(repository).values())
        for each in seen:
            assert each.wrong == []
            shown = set[str]().union(*each.digests.values())
            assert shown <= allowed, f"{repository} showed {shown - allowed}"
        self.tally.seen += seen
        self.tally.uploads += len(uploads.taken)
        self.tally.uploaded_bytes += uploads.bytes

    def _release(self, version: str, repository: str, assets: int, uploads: Uploads) -> None:
        programs = self._chance.randrange(1 << 30)
        for project in (self._project, self._calm):
            project.write(assets=assets, programs=programs)
        former = self._place.calm.tags(repository)
        calm = self._calm.release(version, [f"{self._place.calm.address}/{repository}"])
        assert calm.code == 0, calm.said
        wanted = self._place.calm.tags(repository)
        goal = dict(wanted.items() - former.items())
        was_killed = False
        while self._is_killed(version, repository, goal):
            was_killed = True
            uploads.note()
            if self._chance.random() < 0.7:
                break
        else:
            uploads.note()
        if self._chance.random() < 0.5:
            self._project.forget()
            self.tally.elsewhere += was_killed
        done = self._finish(version, repository)
        uploads.note(undisturbed=True)
        assert (done.code, done.digest) == (0, calm.digest), done.said
        for registry in self._place.registries:
            assert registry.tags(repository) == wanted
        self.tally.releases += was_killed

    def _is_killed(self, version: str, repository: str, goal: dict[str, str]) -> bool:
        """Run it and kill it; whether it was still under way."""
        chance = self._chance
        by_clock = chance.random() < 0.5
        moment = chance.uniform(0.05, max(self._seconds, 0.5))
        fault = KillAt(chance.randint(1, max(self._requests, 20)), late=chance.random() < 0.5)
        self._place.begin(None if by_clock else fault)
        process = self._project.start(version, self._place.to(repository))
        fault.process = process
        try:
            _, said = process.communicate(timeout=moment if by_clock else 60)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        self._place.settle()
        if process.returncode == 0:
            return False
        assert process.returncode == -9, said
        self.tally.kills += 1
        self.tally.moments[self._moment(repository, goal)] += 1
        return True

    def _finish(self, version: str, repository: str) -> Ended:
        """The release, undisturbed."""
        self._place.begin()
        begun = time.monotonic()
        done = self._project.release(version, self._place.to(repository))
        self._seconds = time.monotonic() - begun
        self._place.settle()
        self._requests = max(self._requests, len(self._place.log))
        return done

    def _moment(self, repository: str, goal: dict[str, str]) -> str:
        """How far the killed run had come."""
        held = [registry.tags(repository) for registry in self._place.registries]
        done = [each.get(tag) == digest for each in held for tag, digest in goal.items()]
        if any(done):
            return "all tags set" if all(done) else "some tags set"
        log = self._place.log
        if any(each.sets_manifest for each in log):
            return "blobs there, manifests on their way"
        return "blobs on their way" if any(each.is_upload for each in log) else "nothing sent"


class Race(Struct):
    """What came of releases of one version at once: pairs whose content was the ``same`` and of
    which both ended well; pairs whose content was ``different`` and of which one won."""

    same: int = 0
    different: int = 0


class AtOnce:
    """Two releases of the same version, by two machines that know nothing of each other."""

    def __init__(self, place: Places, folder: Path, *, seed: int, layer_bytes: int) -> None:
        self._place = place
        self._chance = random.Random(seed)
        self._projects = [Project(folder / name, layer_bytes) for name in ("left", "right")]

    def run(self, pairs: int) -> Race:
        """So many pairs of each kind. Raises ``AssertionError`` when one ends as it must not."""
        race = Race()
        for number in range(pairs):
            self._same(f"same{number}")
            race.same += 1
            self._different(f"different{number}")
            race.different += 1
        return race

    def _same(self, repository: str) -> None:
        left, right = self._both(repository, [1, 1])
        assert (left.code, right.code) == (0, 0), f"{left.said}\n{right.said}"
        assert left.digest == right.digest
        self._assert_held(repository, left)

    def _different(self, repository: str) -> None:
        both = self._both(repository, [1, 2])
        said = "\n".join(each.said for each in both)
        won = [each for each in both if each.code == 0]
        assert len(won) == 1, f"{repository}: {len(won)} of two won\n{said}"
        lost = next(each for each in both if each.code != 0)
        assert won[0].digest in lost.said, f"{repository}: the loser says\n{lost.said}"
        self._assert_held(repository, won[0])

    def _both(self, repository: str, programs: list[int]) -> list[Ended]:
        self._place.begin()
        running = []
        for project, seed in zip(self._projects, programs, strict=True):
            project.forget()
            project.write(assets=0, programs=seed)
        for project in self._chance.sample(self._projects, 2):
            running.append((project, project.start("1.0.0", self._place.to(repository))))
            time.sleep(self._chance.choice([0, self._chance.uniform(0, 0.5)]))
        done = {id(project): project.end(process) for project, process in running}
        return [done[id(project)] for project in self._projects]

    def _assert_held(self, repository: str, won: Ended) -> None:
        """Both registries hold this release under every tag, and it is whole."""
        wanted = {"1.0.0": won.digest, "1.0": won.digest, "1": won.digest, "latest": won.digest}
        for image in won.report["platforms"]:
            suffix = image["platform"].partition("/")[2]
            wanted[f"1.0.0-{suffix}"] = image["digest"]
        for registry in self._place.registries:
            assert registry.tags(repository) == wanted, f"{registry.address}/{repository}"


def main() -> None:
    """Print a paragraph for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.releases", description=__doc__)
    parser.add_argument("releases", type=int, nargs="?", default=200, help="releases to kill")
    parser.add_argument("--pairs", type=int, default=25, metavar="N", help="pairs at once")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N")
    options = parser.parse_args()
    print(f"releases: seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name, places(Path(name)) as place:
        if options.releases:
            kills = Kills(place, Path(name), seed=options.seed, layer_bytes=200_000)
            print(killed(kills.run(options.releases)), flush=True)
        pairs = AtOnce(place, Path(name), seed=options.seed, layer_bytes=20_000)
        race = pairs.run(options.pairs)
    print(
        f"two releases of one version at once: {race.same} pairs with the same content, both ended"
        f" well; {race.different} pairs with different content, one won and the other said so"
    )


def killed(tally: Tally) -> str:
    """The tally in words."""
    moments = ", ".join(f"{number} {moment}" for moment, number in tally.moments.most_common())
    total = {
        name: sum(getattr(each, name) for each in tally.seen)
        for name in ("rounds", "pulls", "blobs")
    }
    torn = sum((each.torn for each in tally.seen), Counter[str]())
    rewritten = ", ".join(f"{number} of a {kind}" for kind, number in sorted(torn.items()))
    return (
        f"{tally.releases} releases killed, {tally.kills} times in all, and finished,"
        f" {tally.elsewhere} of them as if on another machine; all digests are those of undisturbed"
        f" runs\n  kills fell: {moments}\n  {tally.uploads} blobs uploaded once each,"
        f" {tally.uploaded_bytes:,} bytes with those of broken uploads\n"
        f"  probers: {total['rounds']:,} rounds, {total['pulls']:,} pulls of a tag,"
        f" {total['blobs']:,} contents verified, nothing missing; reads while the registry rewrote"
        f" a file of its own: {rewritten or 'none'}"
    )


if __name__ == "__main__":
    main()
