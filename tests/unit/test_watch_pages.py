"""The public pages, asked without any socket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import HistoryAway
from manyfest.watch.health.values import RegistryState
from manyfest.watch.history.batch import Batch
from manyfest.watch.values import (
    Change,
    Doubt,
    Facts,
    Incident,
    Observation,
    PlatformFacts,
    PlatformSeen,
    Sample,
)
from tests.signing import Key
from tests.unit.watch_web import (
    GHCR,
    HUB,
    IMAGE,
    Client,
    Watch,
    client,
    digest,
    image,
    seen,
    sign_in,
    state,
    user,
)
from tests.unit.watching import NOW, event, of_registry

HOSTILE = "<script>alert(1)</script>\"'&amp;"


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path)
    yield watch
    watch.history.close()


@pytest.fixture
def web(watch: Watch) -> Client:
    return client(watch)


class _Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text(page: str) -> str:
    """What is read on a page."""
    return re.sub(r"\s+", " ", " ".join(_Text(page).parts))


def shown(web: Client, path: str) -> str:
    """What is read on the page at that path, which is there."""
    answer = web.get(path)
    assert answer.status == 200, answer.text
    return text(answer.text)


def title(web: Client, path: str = "/") -> str:
    found = re.search("<title>(.*?)</title>", web.get(path).text, re.DOTALL)
    return found[1] if found else ""


class TestTheAnswer:
    def test_before_anything_was_seen(self, web: Client) -> None:
        assert "Nothing has been seen yet" in shown(web, "/")

    def test_where_nothing_is_watched(self, watch: Watch, web: Client) -> None:
        watch.watch()
        assert "Nothing is watched yet" in shown(web, "/")

    def test_all_is_complete(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"), state("2.6.0"))
        page = shown(web, "/")
        assert "All versions are complete everywhere" in page
        assert "2 versions of 1 image in 2 registries" in page

    def test_a_version_is_on_the_way(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.0"), state("2.6.1", complete_at=None))
        assert "Partly complete: 1 version on the way" in shown(web, "/")

    def test_a_version_is_late(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.0"), state("2.6.1", complete_at=None, late_at=NOW))
        assert "Partly complete: 1 version late" in shown(web, "/")

    def test_registries_differ(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1", complete_at=None, differ_at=NOW))
        assert "Partly complete: 1 version not the same everywhere" in shown(web, "/")

    def test_a_registry_gives_no_answers(self, watch: Watch, web: Client) -> None:
        outage = Incident(kind="unreachable", began=NOW, cause="no route", registry="ghcr.io")
        watch.knows(state("2.6.1"), opened=(outage,))
        assert "1 registry out of reach" in shown(web, "/")

    def test_what_is_gone_makes_nothing_incomplete(self, watch: Watch, web: Client) -> None:
        gone = state("2.5.0", seen(HUB, index=""), digest="", complete_at=None)
        watch.knows(state("2.6.1"), gone)
        assert "All versions are complete everywhere" in shown(web, "/")

    def test_an_image_that_is_not_watched_any_more_does_not_count(
        self, watch: Watch, web: Client
    ) -> None:
        watch.knows(state("2.6.1"), state("1", image="old/one", complete_at=None))
        assert "All versions are complete everywhere" in shown(web, "/")

    def test_it_is_in_the_title_and_the_icon(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"))
        assert title(web) == "Complete · Our releases"
        assert "icon-good.svg" in web.get("/").text
        watch.knows(state("2.6.2", complete_at=None, late_at=NOW))
        assert title(web) == "1 not complete · Our releases"
        assert "icon-bad.svg" in web.get("/").text

    def test_everybody_sees_that_the_watch_itself_is_in_trouble(
        self, watch: Watch, web: Client
    ) -> None:
        watch.trouble = ("watch.yaml: line 3: no such key",)
        page = shown(web, "/")
        assert "The watch itself: something is wrong with it" in page
        assert "watch.yaml" not in page

    def test_who_signed_in_to_a_closed_page_sees_in_which(self, tmp_path: Path) -> None:
        watch = Watch(tmp_path, public=False)
        watch.trouble = ("watch.yaml: line 3: no such key",)
        web = client(watch)
        user(web)
        assert sign_in(web).status == 303
        assert "The watch itself: watch.yaml: line 3: no such key" in shown(web, "/")
        watch.history.close()


class TestOverview:
    def test_each_platform_in_each_registry(self, watch: Watch, web: Client) -> None:
        ghcr = seen(GHCR, ready=["linux/amd64"], missing=["linux/arm64"])
        watch.knows(state("2.6.1", seen(HUB), ghcr, complete_at=None))
        page = shown(web, "/")
        assert "docker.io ghcr.io amd64 ready ready arm64 ready missing" in page
        assert "3 of 4 ready" in page

    def test_a_place_that_was_not_asked_yet_is_unknown(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1", seen(HUB), complete_at=None))
        assert "amd64 ready unknown" in shown(web, "/")

    def test_a_place_that_gives_no_answer_now_says_so(self, watch: Watch, web: Client) -> None:
        quiet = seen(GHCR, silent_since=NOW, silence="no route")
        watch.knows(state("2.6.1", seen(HUB), quiet))
        assert "amd64 ready ready , no answer now" in shown(web, "/")

    def test_the_newest_versions_are_shown(self, watch: Watch, web: Client) -> None:
        watch.knows(*(state(f"2.{minor}.0") for minor in (9, 10, 8, 7)))
        tags = re.findall(r"<h4><a[^>]*>(.*?)</a>", web.get("/").text)
        assert tags == ["2.10.0", "2.9.0", "2.8.0"]

    def test_incidents_have_their_times(self, watch: Watch, web: Client) -> None:
        began = NOW - 3600
        late = Incident(kind="late", began=began, cause="no arm64", image=IMAGE, tag="2.6.1")
        over = Incident(
            kind="unreachable", began=began, ended=NOW, cause="x", registry="ghcr.io"
        )  # fmt: skip
        watch.knows(opened=(late, over))
        page = shown(web, "/")
        assert "Ongoing incidents gotify/server 2.6.1 late no arm64 From 26 Nov 2026, 19:31" in page
        assert "Past incidents ghcr.io unreachable x From 26 Nov 2026, 19:31 UTC" in page
        assert "to 26 Nov 2026, 20:31 UTC just now : 1 h" in page

    def test_many_images_are_on_several_pages(self, watch: Watch, web: Client) -> None:
        watch.watch(*(image(f"team/app-{number:02}") for number in range(25)))
        first = web.get("/").text
        assert "team/app-19" in first
        assert "team/app-20" not in first
        following = re.search(r'rel="next" href="([^"]*)"', first)
        assert following
        second = web.get(following[1]).text
        assert "team/app-19" not in second
        assert "team/app-24" in second

    def test_each_registry_has_a_button_for_each_day(self, watch: Watch, web: Client) -> None:
        samples = [
            Sample(registry="ghcr.io", at=NOW - 60, seconds=0.1),
            Sample(registry="ghcr.io", at=NOW - 50, seconds=0.1, why="no route"),
        ]
        known = RegistryState(registry="ghcr.io", began=NOW - 60, answered_at=NOW - 60)
        watch.knows(registries=(known,), samples=samples)
        page = web.get("/").text
        assert page.count('<button type="button" class="bar ') == 180
        assert page.count('tabindex="0" data-key="ghcr.io-') == 1
        assert 'aria-label="26 November 2026: 1 of 2 answers missing"' in page
        assert 'aria-label="25 November 2026: not asked"' in page


class TestImage:
    def test_its_versions_are_on_several_pages(self, watch: Watch, web: Client) -> None:
        watch.knows(*(state(f"1.{minor}.0") for minor in range(30)))
        first = web.get(f"/images/{IMAGE}").text
        assert re.findall(r"<h3><a[^>]*>(.*?)</a>", first)[::11] == ["1.29.0", "1.18.0"]
        assert f"/images/{IMAGE}?below=1.18.0" in first
        second = web.get(f"/images/{IMAGE}?below=1.18.0").text
        assert re.findall(r"<h3><a[^>]*>(.*?)</a>", second)[::11] == ["1.17.0", "1.6.0"]
        back = web.get(f"/images/{IMAGE}?above=1.17.0").text
        assert re.findall(r"<h3><a[^>]*>(.*?)</a>", back)[::11] == ["1.29.0", "1.18.0"]
        assert "newer versions" not in back
        beyond = web.get(f"/images/{IMAGE}?below=1.0.0")
        assert "There are no older ones." in text(beyond.text)
        assert f'href="/images/{IMAGE}">&larr; newer versions' in beyond.text

    def test_how_long_versions_took(self, watch: Watch, web: Client) -> None:
        ready = [
            event("platform ready", tag, place=HUB, platform="linux/arm64", lag=lag)
            for tag, lag in (("1.0", 60.0), ("1.1", 120.0), ("1.2", 600.0))
        ]
        complete = [event("complete", "1.0", lag=900.0)]
        watch.knows(state("1.0"), events=[*ready, *complete])
        page = shown(web, f"/images/{IMAGE}")
        assert "complete everywhere 1 15 min 15 min" in page
        assert f"linux/arm64 {HUB} 3 2 min 10 min" in page

    def test_one_of_which_nothing_was_seen(self, web: Client) -> None:
        page = shown(web, f"/images/{IMAGE}")
        assert "Nothing has been seen yet." in page
        assert "No version has been watched from its start" in page

    def test_one_that_is_not_watched_any_more(self, watch: Watch, web: Client) -> None:
        watch.knows(state("1.0", image="old/one"))
        assert "It is no longer watched." in shown(web, "/images/old/one")


class TestVersion:
    def test_how_to_pull_it(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"))
        page = shown(web, f"/images/{IMAGE}/2.6.1")
        assert f"docker pull {HUB}@{digest('a')}" in page
        assert f"docker pull {GHCR}@{digest('b')}" in page

    def test_there_is_no_line_for_what_is_not_ready(self, watch: Watch, web: Client) -> None:
        ghcr = seen(GHCR, index=digest("d"), ready=[], missing=["linux/amd64", "linux/arm64"])
        watch.knows(state("2.6.1", seen(HUB), ghcr, complete_at=None))
        page = shown(web, f"/images/{IMAGE}/2.6.1")
        assert re.findall(f"docker pull {GHCR}@(\\S+)", page) == [digest("d")]
        assert "linux/arm64 missing it has linux/amd64" in page

    def test_how_it_became_complete(self, watch: Watch, web: Client) -> None:
        watch.watch(image(soak=3600.0))
        watch.knows(state("2.6.1"))
        page = web.get(f"/images/{IMAGE}/2.6.1").text
        assert '<svg class="timeline"' in page
        assert "docker.io amd64 ready after 1 min" in page
        read = text(page)
        assert f"amd64 {HUB} 26 Nov 2026, 20:30:00 UTC 1 min" in read
        assert "complete everywhere 26 Nov 2026, 20:30:00 UTC 1 min" in read
        assert "Soak time over 26 Nov 2026, 21:30 UTC in 59 minutes" in read

    def test_by_which_key_it_is_signed(self, watch: Watch, web: Client) -> None:
        key = Key().public()
        watch.watch(msgspec.structs.replace(image(), signed_by=key))
        unsigned = PlatformSeen(state="unsigned", digest=digest("b"), why="it is not signed")
        ghcr = msgspec.structs.replace(
            seen(GHCR, signed_by=key.fingerprint), platforms={"linux/amd64": unsigned}
        )
        watch.knows(state("2.6.1", seen(HUB, signed_by=key.fingerprint), ghcr))
        page = shown(web, f"/images/{IMAGE}/2.6.1")
        assert page.count("All of it is signed by cosign.pub") == 1
        assert "linux/amd64 unsigned it is not signed" in page

    def test_what_it_consists_of(self, watch: Watch, web: Client) -> None:
        amd64 = PlatformFacts(
            platform="linux/amd64",
            digest=digest("b"),
            size=9_840_000,
            layers=5,
            attached=("SBOM (SPDX)", HOSTILE),
        )
        facts = Facts(
            digest=digest("a"), platforms=(amd64,), read_at=NOW, attached=("signature (cosign)",)
        )
        watch.knows(state("2.6.1", seen(HUB), seen(GHCR, index=digest("c"))))
        watch.history.record(Batch(facts=(facts,)))
        page = web.get(f"/images/{IMAGE}/2.6.1").text
        assert text(page).count("Attached to the index: signature (cosign).") == 1
        assert f"9.8 MB in 5 layers, with SBOM (SPDX), {HOSTILE}" in text(page)
        assert HOSTILE not in page

    def test_what_is_not_believed_yet_is_said(self, watch: Watch, web: Client) -> None:
        doubted = seen(HUB, doubt=Doubt(digest="", since=NOW - 60))
        watch.knows(state("2.6.1", doubted, seen(GHCR)))
        page = shown(web, f"/images/{IMAGE}/2.6.1")
        assert "It says something else since 26 Nov 2026, 20:30 UTC 1 minute ago" in page

    def test_one_that_was_there_before_has_no_picture(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1", was_there=True))
        page = web.get(f"/images/{IMAGE}/2.6.1").text
        assert '<svg class="timeline"' not in page
        assert "it was there when the watch began" in text(page)

    def test_what_each_registry_held_from_when_to_when(self, watch: Watch, web: Client) -> None:
        first = _gap(NOW - 600)
        last = _gap(NOW - 300, "no route to host")
        change = Change(state=state("2.6.1"), observations=(first, last))
        watch.history.record(Batch(changes=(change,)))
        page = shown(web, f"/images/{IMAGE}/2.6.1")
        assert (
            f"{HUB} 26 Nov 2026, 20:26:00 UTC now no answer: no route to host "
            f"{HUB} 26 Nov 2026, 20:21:00 UTC 26 Nov 2026, 20:26:00 UTC 5 min no answer: busy"
        ) in page

    def test_a_name_with_a_slash_is_an_image_and_no_tag(self, watch: Watch, web: Client) -> None:
        watch.watch(image("a"), image("a/b"))
        watch.knows(state("b", image="a"), state("c", image="a/b"))
        assert title(web, "/images/a/b") == "All complete · a/b · Our releases"
        assert title(web, "/images/a/b/c") == "Complete · a/b c · Our releases"


def _gap(at: float, why: str = "busy") -> Observation:
    return Observation(image=IMAGE, tag="2.6.1", place=HUB, at=at, answer=None, silence=why)


class TestHistory:
    def test_it_is_filtered(self, watch: Watch, web: Client) -> None:
        watch.knows(events=[event("late"), event("complete"), of_registry("unreachable")])
        assert "gotify/server 2.6.1 is late" in shown(web, "/history?kind=late")
        assert "complete everywhere" not in shown(web, "/history?kind=late")
        assert "gives no answers" in shown(web, "/history?registry=ghcr.io")
        assert "Nothing like that happened." in shown(web, "/history?image=other")
        assert "Nothing like that happened." in shown(web, "/history?tag=2.6.1&registry=ghcr.io")

    def test_pages_follow_each_other_without_a_gap(self, watch: Watch, web: Client) -> None:
        # All at the same moment: the number alone tells them apart.
        watch.knows(events=[event("appeared", f"1.{number}") for number in range(120)])
        seen_tags: list[str] = []
        address = "/history"
        while address:
            page = web.get(address).text
            seen_tags += re.findall(r">gotify/server (1\.\d+)</a>", page)
            following = re.search(r'rel="next" href="([^"]*)"', page)
            address = following[1].replace("&amp;", "&") if following else ""
        assert seen_tags == [f"1.{number}" for number in reversed(range(120))]

    @pytest.mark.parametrize("query", ["kind=nothing", "before=x", "before=1-", "before=nan-1e9"])
    def test_what_it_cannot_be_asked(self, web: Client, query: str) -> None:
        assert web.get(f"/history?{query}").status == 404

    def test_it_is_empty_at_first(self, web: Client) -> None:
        assert "Nothing has happened yet." in shown(web, "/history")


class TestSearch:
    def test_tags_images_and_registries(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"), state("2.5.0"), registries=(RegistryState(registry="ghcr.io"),))
        assert "gotify/server 2.6.1 complete" in shown(web, "/search?q=2.6")
        assert "2.5.0" not in shown(web, "/search?q=2.6")
        assert "Images gotify/server" in shown(web, "/search?q=GOTIFY")
        assert "Registries ghcr.io" in shown(web, "/search?q=ghcr")
        assert "gotify/server 2.5.0" in shown(web, "/search?q=server:2.5")
        assert "gotify/server 2.5.0" in shown(web, "/search?q=server+2.5")

    def test_a_digest(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"), state("2.5.0", digest=digest("e")))
        for asked in (digest("a"), f"{HUB}@{digest('a')}", digest("A").replace("SHA", "sha")):
            page = shown(web, f"/search?q={asked}")
            assert "gotify/server 2.6.1 complete" in page
            assert "2.5.0" not in page

    def test_signs_mean_themselves(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"), state("a_b"))
        assert "Nothing has “%”" in shown(web, "/search?q=%25")
        assert "a_b" in shown(web, "/search?q=a_")
        assert "2.6.1" not in shown(web, "/search?q=_")

    def test_nothing_was_asked(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"))
        page = shown(web, "/search")
        assert "Type a part" in page
        assert "2.6.1" not in page


class TestRegistry:
    def test_how_it_did(self, watch: Watch, web: Client) -> None:
        samples = [
            Sample(registry="ghcr.io", at=NOW - 700 + number, seconds=0.1) for number in range(9)
        ]
        began = Incident(kind="unreachable", began=NOW - 60, cause="no route", registry="ghcr.io")
        down = RegistryState(
            registry="ghcr.io",
            began=NOW - 700,
            answered_at=NOW - 690,
            failing_since=NOW - 60,
            down_since=NOW - 60,
            why="no route",
        )
        watch.knows(registries=(down,), samples=samples, opened=(began,))
        page = shown(web, "/registries/ghcr.io")
        assert "unreachable Since 26 Nov 2026, 20:30 UTC 1 minute ago : no route" in page
        assert "24 hours 91.43 %" in page
        assert "p50 99 ms" in page
        assert "ghcr.io unreachable no route From" in page

    def test_one_that_is_watched_and_was_not_asked(self, web: Client) -> None:
        page = shown(web, "/registries/ghcr.io")
        assert "not asked yet" in page
        assert "Nothing was wrong so far." in page

    def test_one_that_nobody_watches(self, web: Client) -> None:
        assert web.get("/registries/other.example").status == 404


class TestHostileNames:
    """A registry says what its tags are called, and why it does not answer."""

    def test_nothing_of_them_is_markup(self, watch: Watch, web: Client) -> None:
        bad = seen(HUB, silent_since=NOW, silence=HOSTILE, missing=["linux/amd64"], ready=())
        late = Incident(kind="late", began=NOW, cause=HOSTILE, image=HOSTILE, tag=HOSTILE)
        watch.watch(image(HOSTILE))
        watch.knows(
            state(HOSTILE, bad, image=HOSTILE, digest=HOSTILE, complete_at=None),
            events=[event("late", HOSTILE, image=HOSTILE, why=HOSTILE, place=HOSTILE)],
            opened=(late,),
            registries=(RegistryState(registry=HOSTILE),),
        )
        name = "%3Cscript%3Ealert(1)%3C/script%3E%22%27%26amp%3B"
        tag = name.replace("/", "%2F")
        paths = ["/", "/history", f"/images/{name}", f"/images/{name}/{tag}"]
        for path in [*paths, f"/search?q={tag}", f"/registries/{tag}", f"/history?image={tag}"]:
            page = web.get(path)
            assert page.status == 200, path
            assert "alert(1)" in page.text
            assert "<script>alert" not in page.text
            assert f"{HOSTILE[:30]}" not in page.text
            assert HOSTILE in " ".join(_Text(page.text).parts), path

    def test_a_tag_that_has_line_ends_and_slashes(self, watch: Watch, web: Client) -> None:
        watch.knows(state("a\nb/c"))
        address = f"/images/{IMAGE}/a%0Ab%2Fc"
        assert f'href="{address}"' in web.get("/").text
        assert title(web, address) == "Complete · gotify/server a\nb/c · Our releases"

    def test_what_is_not_found_is_not_markup_either(self, web: Client) -> None:
        answer = web.get("/images/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        assert answer.status == 404
        assert "<script>alert" not in answer.text
        assert "No image or version is known as “<script>" in text(answer.text)


class TestAnswers:
    def test_they_keep_what_is_not_ours_away(self, web: Client) -> None:
        for path in ("/", "/history", "/nothing", "/static/page.js"):
            answer = web.get(path)
            assert answer.header("content-security-policy") == (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            )
            assert answer.header("x-content-type-options") == "nosniff"
            assert answer.header("referrer-policy") == "same-origin"

    def test_nothing_is_inline(self, watch: Watch, web: Client) -> None:
        watch.knows(state("2.6.1"))
        for path in ("/", f"/images/{IMAGE}", f"/images/{IMAGE}/2.6.1", "/registries/ghcr.io"):
            page = web.get(path).text
            assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []
            assert re.findall(r"<script(?! src=)", page) == []

    def test_a_page_that_is_not_there(self, web: Client) -> None:
        answer = web.get("/nothing/here")
        assert answer.status == 404
        assert answer.header("content-type") == "text/html; charset=utf-8"
        assert "Back to the status" in text(answer.text)

    @pytest.mark.parametrize("path", ["/", "/history", "/images/gotify/server", "/live"])
    def test_pages_are_only_read(self, web: Client, path: str) -> None:
        assert web.send("POST", path).status == 405
        assert web.send("DELETE", path).status == 405

    def test_heads_have_no_body(self, web: Client) -> None:
        assert web.send("HEAD", "/").status == 200

    def test_a_history_that_is_away(
        self, watch: Watch, web: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away() -> None:
            raise HistoryAway("the disk is full")

        monkeypatch.setattr(watch.history, "reading", away)
        answer = web.get("/")
        assert answer.status == 503
        assert "The history cannot be read right now." in text(answer.text)

    def test_static_files_are_kept_under_the_name_of_their_version(self, web: Client) -> None:
        page = web.get("/").text
        found = re.search(r'href="(/static/style\.css\?v=\w+)"', page)
        assert found
        style = web.get(found[1])
        assert style.header("cache-control") == "public, max-age=31536000, immutable"
        assert style.header("content-type") == "text/css; charset=utf-8"
        assert web.get("/static/style.css?v=old").header("cache-control") == "no-cache"

    @pytest.mark.parametrize("name", ["../app.py", "..%2Fapp.py", "app.py", "page.js/x"])
    def test_no_other_file_is_served(self, web: Client, name: str) -> None:
        assert web.get(f"/static/{name}").status == 404

    def test_large_pages_are_compressed_for_those_who_can(self, web: Client) -> None:
        assert web.get("/", accept_encoding="gzip").header("content-encoding") == "gzip"
        assert web.get("/").header("content-encoding") == ""


class TestNames:
    """Under which names the page is there."""

    def test_any_if_nobody_said_where_it_is(self, watch: Watch) -> None:
        assert client(watch, host="evil.example").get("/").status == 200

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("status.example.org", 200),
            ("status.example.org:8443", 200),
            ("STATUS.example.org", 200),
            ("127.0.0.1:8080", 200),
            ("[::1]:8080", 200),
            ("evil.example", 421),
            ("status.example.org.evil.example", 421),
            ("", 421),
        ],
    )
    def test_its_own_and_this_machine_s(self, tmp_path: Path, host: str, status: int) -> None:
        watch = Watch(tmp_path, url="https://status.example.org/")
        assert client(watch, host=host).get("/").status == status
        watch.history.close()

    def test_another_one_holds_once_the_file_is_read_again(self, tmp_path: Path) -> None:
        watch = Watch(tmp_path, url="https://status.example.org/")
        web = client(watch, host="new.example.org")
        assert web.get("/").status == 421
        watch.config = msgspec.structs.replace(watch.config, url="https://new.example.org")
        assert web.get("/").status == 200
        watch.history.close()


class TestPrivatePages:
    def test_who_did_not_sign_in_is_sent_to_do_so(self, tmp_path: Path) -> None:
        watch = Watch(tmp_path, public=False)
        web = client(watch)
        answer = web.get("/history?kind=late")
        assert answer.status == 303
        assert answer.header("location") == "/sign-in?next=%2Fhistory%3Fkind%3Dlate"
        assert web.get("/live?page=/").status == 403
        watch.history.close()

    def test_who_did_sees_them(self, tmp_path: Path) -> None:
        watch = Watch(tmp_path, public=False)
        web = client(watch)
        user(web)
        assert sign_in(web).status == 303
        assert "Nothing has been seen yet" in shown(web, "/")
        watch.history.close()
