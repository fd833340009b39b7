"""Looks at registries, all the time: what is due is asked for, and what comes back is told.

Each registry is asked by threads of its own, a bounded number, which are there while something is
due. One more thread, the one that runs :meth:`Poller.run`, starts them.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from random import random

from manyfest.check.readiness import Readiness
from manyfest.errors import ManyfestError
from manyfest.watch.config.values import Budget, RegistryRule, TagChoice, WatchedImage
from manyfest.watch.history.batch import WasListed, WasRead
from manyfest.watch.poll.asking import Asker, outcome_of, registry_of
from manyfest.watch.poll.facts import read_facts
from manyfest.watch.poll.image import PolledImage, Repositories
from manyfest.watch.poll.lane import Lane, Look, Outcome
from manyfest.watch.poll.reading import LATER, Reading, gap_of
from manyfest.watch.poll.told import Told
from manyfest.watch.values import Facts, Observation, TagState

logger = logging.getLogger(__name__)

RECHECK = 6 * 3600.0
"""Seconds after which what was seen whole is asked for once more, by HEAD requests too."""

_SHORT_LIST, _SLOWER = 4, 12.0
"""A list of tags that takes more than so many requests is asked for more rarely, up to so many
times."""

_SOON = 30.0
"""Seconds after which a tag is looked at again whose place could not tell, at most."""

_LONG = 3600.0
"""Seconds until something is tried again that failed for a fault of our own; and until it is
thought over what is to be asked, at most: no thread can wait for centuries."""

_UNFINISHED, _LIST, _SETTLED, _DOUBTFUL = 1, 2, 3, 4
"""Ranks of looks, behind those at what is hinted: what is not complete, what may be new, the rest,
and what could not be told: others show whether the registry is back, or only fails for this one."""


class Poller:
    """See the module. ``told`` takes what is found; ``clock`` is the time since 1970.

    Whatever thread may call :meth:`watch`, :meth:`hint` and :meth:`stop`.
    """

    def __init__(
        self,
        repositories: Repositories,
        told: Told,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random,
    ) -> None:
        self._repositories = repositories
        self._asker = Asker(repositories)
        self._told = told
        self._clock = clock
        self._timer = timer
        self._jitter = jitter
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._lanes: dict[str, Lane] = {}
        self._images: dict[str, PolledImage] = {}
        self._rules: dict[str, RegistryRule] = {}
        self._reading = Reading()
        self._listed_by: dict[tuple[str, str], TagChoice] = {}
        self._threads: set[threading.Thread] = set()
        self._stopped = False

    def recall(self, read: Iterable[WasRead] = (), lists: Iterable[WasListed] = ()) -> None:
        """Of what is ``read`` it is known what it consists of; ``lists`` were read before."""
        with self._lock:
            self._reading.recall(read)
            self._listed_by.update(((it.image, it.repository), it.choice) for it in lists)

    def watch(
        self,
        images: Iterable[WatchedImage],
        registries: Iterable[RegistryRule] = (),
        states: Iterable[TagState] = (),
    ) -> None:
        """Watch these, and no others any more. What is watched already goes on; ``states`` are what
        is known of the tags of others. Paused ones are not watched."""
        active = {each.name: each for each in images if each.paused_at is None}
        with self._changed:
            self._rules = {each.host: each for each in registries}
            for registry, lane in self._lanes.items():
                lane.limit(self._budget(registry), self._timer())
            others = [name for name, each in self._images.items() if active.get(name) != each.asked]
            before = {name: self._drop(name) for name in others}
            new = {name: each for name, each in active.items() if name not in self._images}
            for name, asked in new.items():
                self._images[name] = PolledImage(asked, self._repositories)
                if name in before:
                    self._images[name].inherit(before[name])
            known = [state for state in states if state.image in new]
            for name in new:
                self._begin(self._images[name], [each for each in known if each.image == name])
            self._changed.notify_all()

    def hint(self, repository: str, tag: str) -> bool:
        """Look at ``tag``, or at the list of tags, at once, wherever the image should be. Says
        whether that is watched."""
        known = False
        with self._changed:
            for image in self._images.values():
                if repository not in image.places or not image.admits(tag):
                    continue
                known = True
                self._follow(image, {tag} if image.is_new(tag) else set())
                for look in image.looks(tag):
                    self._lane(look).hint(look, self._timer(), twice=True)
            self._changed.notify_all()
        return known

    def recheck(self, image: str, tag: str) -> None:
        """Ask soon for all of the tag once more, in each place."""
        with self._changed:
            found = self._images.get(image)
            if found is not None and tag in found.followed:
                for look in found.looks(tag):
                    found.checked[look] = -math.inf
                    self._lane(look).hint(look, self._timer())
                self._changed.notify_all()

    def looks_at(self, image: str, tag: str) -> bool:
        """Whether the tag is watched by now. It waits for nobody."""
        found = self._images.get(image)
        return found is not None and tag in found.followed

    def unlisted(self, image: str) -> tuple[str, ...]:
        """In which places of an image nobody knows what tags there are. It waits for nobody."""
        found = self._images.get(image)
        return tuple(found.unlisted) if found else ()

    def troubles(self) -> tuple[str, ...]:
        """Which repositories do not let their tags be known, and why, a line each."""
        with self._lock:
            return tuple(each for image in self._images.values() for each in image.troubles())

    def run(self) -> None:
        """Look until :meth:`stop`; returns once the looks that are under way are over."""
        with self._changed:
            while not self._stopped:
                self._start()
                self._changed.wait(self._wait())
            threads = tuple(self._threads)
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Let :meth:`run` return."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _start(self) -> None:
        """Start a thread for each look that may be made now."""
        now = self._timer()
        for registry, lane in self._lanes.items():
            rest = self._repositories.rest(registry)
            if rest:
                lane.rest(now + rest)
            while (look := lane.take(now)) is not None:
                thread = threading.Thread(
                    target=self._work, args=(registry, lane, look), name=f"look-{registry}"
                )
                thread.daemon = True  # one that hangs holds up no exit
                self._threads.add(thread)
                thread.start()

    def _wait(self) -> float:
        now = self._timer()
        waits = [lane.wait(now) for lane in self._lanes.values()]
        return min([_LONG, *(max(wait, 0.0) for wait in waits if wait is not None)])

    def _work(self, registry: str, lane: Lane, look: Look) -> None:
        """Make looks at one registry, as long as there are some to be made at once."""
        try:
            taken: Look | None = look
            while taken is not None:
                taken = self._make(registry, lane, taken)
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())
                self._changed.notify_all()

    def _make(self, registry: str, lane: Lane, look: Look) -> Look | None:
        """Make a look; gives the next one."""
        image = self._images.get(look.image)
        before = self._repositories.sent()
        outcome: Outcome = "answered"
        after, rank = 0.0, LATER if look.facts else _SETTLED
        try:
            if look.facts:
                outcome, after = self._learn(image, lane, look)
            elif image is not None and look.repository in image.places:
                ask = self._look if look.tag else self._list
                outcome, after, rank = ask(image, look)
        except Exception:
            logger.exception("a look at %s failed", look.repository)
            outcome, after = "refused", _LONG
        finally:
            with self._changed:
                now = self._timer()
                sent = self._repositories.sent() - before
                lane.done(look, outcome, now, sent)
                if not look.tag:
                    after *= min(max(sent / _SHORT_LIST, 1.0), _SLOWER)
                lane.plan_again(look, now, after, rank)
                rest = self._repositories.rest(registry)
                if rest:
                    lane.rest(now + rest)
                following = None if self._stopped else lane.take(now)
                if following is None:
                    self._changed.notify_all()
        return following

    def _look(self, image: PolledImage, look: Look) -> tuple[Outcome, float, int]:
        """Look at a tag: what came of it, after how many seconds to look again, and its rank."""
        every = image.asked.every
        again = self._timer() - image.checked.get(look, 0.0) > RECHECK
        try:
            answer = self._asker.held(image, look, again=again)
        except ManyfestError as error:
            if self._stopped or not self._is_watched(image):
                return "refused", every, _DOUBTFUL
            self._observe(image, look, None, str(error))
            outcome = outcome_of(error)
            return outcome, min(every, _SOON) if outcome == "failed" else every, _DOUBTFUL
        if again:
            image.checked[look] = self._timer()
        with self._lock:
            if not self._is_watched(image):
                return "answered", every, _SETTLED
            is_there = bool(answer.digest)
            image.tags.see(look.repository, look.tag, is_there=is_there, at=self._timer())
            self._want_facts(image, look, answer.digest)
        self._observe(image, look, answer)
        return "answered", every, _SETTLED if answer.ready else _UNFINISHED

    def _is_watched(self, image: PolledImage) -> bool:
        """Whether it is so still, and in the same way."""
        return self._images.get(image.asked.name) is image

    def _want_facts(self, image: PolledImage, look: Look, root: str) -> None:
        """Plan to read what a version consists of, once it is whole."""
        place = image.places[look.repository]
        if not place.images(root):
            return
        planned = self._reading.want(
            image.asked,
            look,
            root,
            is_new=look.tag in image.new,
            is_signed=place.is_signed(root),
            now=self._clock(),
        )
        if planned is None:
            return
        if planned.instead is not None:
            self._lane(planned.instead).drop(planned.instead)
        self._lane(planned.look).plan(planned.look, self._timer() + planned.after, planned.rank)

    def _learn(self, image: PolledImage | None, lane: Lane, look: Look) -> tuple[Outcome, float]:
        """Read what a version consists of: what came of it, and after how many seconds to try
        again. That it cannot be read is no fault of the version."""
        place = image.places.get(look.repository) if image else None
        images = place.images(look.facts) if place else {}
        outcome: Outcome = "answered"
        facts: Facts | None = None
        try:
            if images:
                source, is_last = self._repositories.source(look.repository), look in self._reading
                facts = read_facts(source, look.facts, images, self._clock(), is_last=is_last)
                self._told.learn(look.image, look.tag, facts)
        except ManyfestError as error:
            logger.info("what %s:%s consists of: %s", look.repository, look.tag, error)
            outcome = outcome_of(error)
        with self._lock:
            asked = image.asked if image and images else None
            is_signed = place is not None and place.is_signed(look.facts)
            again = self._reading.over(look, asked, facts, is_signed=is_signed)
            if again is None:
                lane.drop(look)
        return outcome, again or 0.0

    def _list(self, image: PolledImage, look: Look) -> tuple[Outcome, float, int]:
        """Ask for the list of tags. If it cannot be had, what is known stays."""
        every = image.asked.every
        try:
            tags = self._asker.tags(image, look.repository)
        except ManyfestError as error:
            outcome = outcome_of(error)
            with self._lock:
                image.note_fault(look.repository, error, is_refused=outcome == "refused")
            return outcome, every, _DOUBTFUL
        with self._changed:
            if self._is_watched(image):
                self._follow(image, image.tags.list(look.repository, tags))
                image.note_list(look.repository, tags)
                self._note_choice(image, look.repository)
                self._changed.notify_all()
        return "answered", every, _LIST

    def _observe(
        self, image: PolledImage, look: Look, answer: Readiness | None, silence: str = ""
    ) -> None:
        self._told.observe(
            Observation(
                image=look.image,
                tag=look.tag,
                place=look.repository,
                at=self._clock(),
                answer=answer,
                silence=silence,
                signed_by=image.places[look.repository].signed_by,
            )
        )

    def _begin(self, image: PolledImage, states: Collection[TagState]) -> None:
        """Plan the first looks at an image: at its lists, and at tags that are known for when they
        would have been looked at. Those of them that are not watched any more are left."""
        name, every, now = image.asked.name, image.asked.every, self._clock()
        choices = {place: self._listed_by.get((name, place)) for place in image.places}
        answered = image.recall(states, choices, self._timer())
        waits = {look: every - (now - at) for look, at in answered.items()}
        for look in image.looks() if image.asked.tags.describes else ():
            self._lane(look).plan(look, self._timer(), _LIST)
        self._follow(image, waits=waits)
        for place in () if image.asked.tags.describes else image.places:
            self._note_choice(image, place)
        left = {state.tag for state in states} - image.followed
        if left:
            self._told.leave(name, left)

    def _follow(
        self, image: PolledImage, new: Set[str] = frozenset(), *, waits: Mapping[Look, float] = {}
    ) -> None:
        """Plan looks at the tags that are watched by now, and drop those that are not any more. Of
        those that are found now, the ``new`` ones were not there when the watch looked last.
        ``waits`` are the seconds that some can wait."""
        watched = image.tags.watched
        found = watched - image.followed
        image.new |= found & new
        for tags, was_there in ((found - new, True), (found & new, False)):
            if tags:
                self._told.find(image.asked.name, tags, was_there=was_there)
        left = image.followed - watched
        image.new -= left
        if left:
            self._told.leave(image.asked.name, left)
        for tag in left:
            for look in image.looks(tag):
                self._lane(look).drop(look)
                image.places[look.repository].forget(tag)
                image.checked.pop(look, None)
        now = self._timer()
        for tag in found:
            for look in image.looks(tag):
                wait = min(max(waits.get(look, 0.0), 0.0), image.asked.every)
                self._lane(look).plan(look, now + wait, _UNFINISHED)
                # What is seen whole within the first round need not all be asked again at once.
                image.checked[look] = now - self._jitter() * RECHECK
        image.followed = set(watched)

    def _note_choice(self, image: PolledImage, place: str) -> None:
        """Have it known by which choice the tags of a place are watched, if it is another one. What
        that found is told before: a kill in between makes nothing new."""
        name, choice = image.asked.name, image.asked.tags
        if self._listed_by.get((name, place)) != choice:
            self._listed_by[name, place] = choice
            self._told.listed(WasListed(name, place, choice))

    def _drop(self, name: str) -> PolledImage:
        """Look at an image no more."""
        image = self._images.pop(name)
        for tag in ("", *image.followed):
            for look in image.looks(tag):
                self._lane(look).drop(look)
        return image

    def _lane(self, look: Look) -> Lane:
        registry = registry_of(look.repository)
        if registry not in self._lanes:
            self._lanes[registry] = Lane(
                budget=self._budget(registry),
                now=self._timer(),
                jitter=self._jitter,
                gap=gap_of(registry),
            )
        return self._lanes[registry]

    def _budget(self, registry: str) -> Budget | None:
        rule = self._rules.get(registry)
        return rule.budget if rule else None
