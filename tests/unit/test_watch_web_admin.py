"""Signing in, what those may do who did, and what keeps everybody else from it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from manyfest.watch.values import Incident, Notice
from tests.unit.watch_openapi import described_answer
from tests.unit.watch_web import (
    HUB,
    IMAGE,
    PASSWORD,
    Answer,
    Client,
    Forms,
    Watch,
    accounts,
    client,
    image,
    seen,
    sign_in,
    state,
    token,
    user,
    word,
)
from tests.unit.watching import NOW, event


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path)
    yield watch
    watch.history.close()


@pytest.fixture
def web(watch: Watch) -> Client:
    """A browser that has not signed in."""
    web = client(watch)
    user(web)
    return web


@pytest.fixture
def ada(web: Client) -> Client:
    """A browser that has."""
    assert sign_in(web).status == 303
    return web


def cookies(answer: Answer) -> dict[str, str]:
    """What is set, by name, with how it is set."""
    found = (each.partition("=") for each in answer.all("set-cookie"))
    return {name: rest.partition("; ")[2] for name, _, rest in found}


def done(answer: Answer, what: str) -> None:
    assert (answer.status, answer.header("location")) == (303, f"/admin?done={what}")


def test_who_signs_in_gets_where_one_wanted(web: Client) -> None:
    answer = sign_in(web, to="/images/gotify/server?a=b")
    assert answer.status == 303
    assert answer.header("location") == "/images/gotify/server?a=b"
    assert "Sign out ada" in web.get("/admin").text


def test_the_cookie_is_for_this_site_alone_and_for_no_script(web: Client) -> None:
    how = cookies(sign_in(web))
    assert how["manyfest"] == "HttpOnly; Max-Age=43200; Path=/; SameSite=strict"
    assert how["manyfest-form"].endswith("; HttpOnly; Max-Age=0; Path=/; SameSite=strict")


@pytest.mark.parametrize(
    ("url", "scheme"),
    [("https://watch.test", "http"), ("", "https"), ("https://watch.test/", "https")],
)
def test_by_https_the_cookie_is_for_https_alone(tmp_path: Path, url: str, scheme: str) -> None:
    watch = Watch(tmp_path, url=url)
    web = client(watch, scheme=scheme)
    user(web)
    set_ = cookies(sign_in(web))
    assert set_["__Host-manyfest"] == "HttpOnly; Max-Age=43200; Path=/; SameSite=strict; Secure"
    watch.history.close()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("ada' OR '1'='1", PASSWORD),
        ("ada\0", PASSWORD),
    ],
)
def test_a_wrong_name_and_a_wrong_password_are_the_same(
    web: Client, name: str, password: str
) -> None:
    answer = sign_in(web, name, password)
    assert answer.status == 403
    assert "There is no user of this name with this password." in answer.text
    assert "manyfest" not in cookies(answer)


def test_the_form_keeps_the_name_as_text(web: Client) -> None:
    answer = sign_in(web, '"><script>alert(1)</script>', "wrong")
    assert "<script>alert" not in answer.text
    assert "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


def test_who_tries_too_often_has_to_wait(watch: Watch, web: Client) -> None:
    for _ in range(10):
        sign_in(web, password="wrong")
    answer = sign_in(web)
    assert (answer.status, answer.header("retry-after")) == (429, "900")
    assert "That was tried too often. Please wait for 15 minutes." in answer.text
    watch.now += 900
    assert sign_in(web).status == 303


def test_a_proxy_of_ours_says_whose_attempt_it_is(watch: Watch) -> None:
    web = client(watch, address="10.0.0.1")
    user(web)
    for _ in range(10):
        tried(web, "wrong", x_forwarded_for="203.0.113.5, 198.51.100.9")
    assert tried(web, PASSWORD, x_forwarded_for="198.51.100.9").status == 429
    assert tried(web, PASSWORD, x_forwarded_for="198.51.100.9, 203.0.113.5").status == 303


def test_nobody_else_is_believed_to_be_somebody_else(web: Client) -> None:
    for number in range(10):
        tried(web, "wrong", x_forwarded_for=f"203.0.113.{number}")
    assert tried(web, PASSWORD, x_forwarded_for="203.0.113.99").status == 429


def tried(web: Client, password: str, **headers: str) -> Answer:
    hidden = Forms(web.get("/sign-in").text).found.get("/sign-in", {})
    web.cookies.pop("manyfest", None)
    return web.post("/sign-in", {**hidden, "name": "ada", "password": password}, **headers)


def test_a_session_that_somebody_else_chose_is_not_taken_over(web: Client) -> None:
    chosen = "x" * 43
    web.cookies["manyfest"] = chosen
    sign_in(web)
    assert web.cookies["manyfest"] != chosen
    web.cookies["manyfest"] = chosen
    assert web.get("/admin").status == 303


def test_signing_in_again_ends_the_session_before(ada: Client) -> None:
    before = ada.cookies["manyfest"]
    hidden = Forms(client_of(ada).get("/sign-in").text).found["/sign-in"]
    other = client_of(ada)
    other.get("/sign-in")
    hidden = Forms(other.get("/sign-in").text).found["/sign-in"]
    other.cookies["manyfest"] = before
    other.post("/sign-in", {**hidden, "name": "ada", "password": PASSWORD})
    ada.cookies["manyfest"] = before
    assert ada.get("/admin").status == 303


def client_of(web: Client) -> Client:
    """Another browser."""
    return Client(web.app)


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:%20a=b", ""],
)
def test_signing_in_leads_nowhere_else(web: Client, elsewhere: str) -> None:
    page = web.get(f"/sign-in?next={quote(elsewhere, safe='%')}")
    hidden = Forms(page.text).found["/sign-in"]
    assert hidden["next"] == "/admin"
    form = {**hidden, "next": elsewhere, "name": "ada", "password": PASSWORD}
    answer = web.post("/sign-in", form)
    assert answer.header("location") in {"/admin", "/%0d%0aSet-Cookie:%20a=b"}
    assert set(cookies(answer)) == {"manyfest", "manyfest-form"}


@pytest.mark.parametrize("forged", [{"word": ""}, {"word": "0" * 64}, {}])
def test_a_form_to_sign_in_that_is_not_ours_signs_nobody_in(
    web: Client, forged: dict[str, str]
) -> None:
    web.get("/sign-in")
    answer = web.post("/sign-in", {**forged, "name": "ada", "password": PASSWORD})
    assert answer.status == 403
    assert "manyfest" not in cookies(answer)


def test_a_form_of_another_browser_signs_nobody_in(web: Client) -> None:
    hidden = Forms(client_of(web).get("/sign-in").text).found["/sign-in"]
    web.get("/sign-in")
    answer = web.post("/sign-in", {**hidden, "name": "ada", "password": PASSWORD})
    assert answer.status == 403


def test_who_signs_out_is_out_everywhere_with_this_cookie(ada: Client) -> None:
    cookie = ada.cookies["manyfest"]
    answer = ada.post("/sign-out", {"csrf": word(ada)})
    assert (answer.status, answer.header("location")) == (303, "/")
    assert "manyfest" not in ada.cookies
    ada.cookies["manyfest"] = cookie
    assert ada.get("/admin").status == 303


@pytest.mark.parametrize("path", ["/admin", "/admin/tokens"])
def test_pages_for_those_who_signed_in_ask_others_to(web: Client, path: str) -> None:
    answer = web.get(path)
    assert (answer.status, answer.header("location")) == (303, f"/sign-in?next={quote(path, '')}")


ACTIONS = [
    "/sign-out",
    "/admin/images/add",
    "/admin/images/pause",
    "/admin/images/resume",
    "/admin/images/remove",
    "/admin/images/look",
    "/admin/incidents/acknowledge",
    "/admin/tokens/make",
    "/admin/tokens/revoke",
]


def everything(watch: Watch, web: Client) -> object:
    return (
        watch.images(),
        watch.hints,
        [each.digest for each in accounts(web).tokens("ada")],
        web.cookies,
        watch.history.open_incidents(),
    )


FORM = {"image": IMAGE, "incident": "1", "token": "1", "label": "x", "in": "a", "platforms": "b"}


@pytest.mark.parametrize("forged", [{}, {"csrf": ""}, {"csrf": "x" * 43}])
def test_without_the_sessions_word_nothing_is_done(
    watch: Watch, ada: Client, forged: dict[str, str]
) -> None:
    before = everything(watch, ada)
    for path in ACTIONS:
        answer = ada.post(path, {**FORM, **forged})
        assert (path, answer.status) == (path, 403)
        assert "did not come from a page of this watch" in answer.text
    assert everything(watch, ada) == before


def test_with_another_sessions_word_nothing_is_done(watch: Watch, ada: Client) -> None:
    other = client_of(ada)
    user(other, "bob")
    sign_in(other, "bob")
    form = {**FORM, "csrf": word(other)}
    before = everything(watch, ada)
    assert [ada.post(path, form).status for path in ACTIONS] == [403] * len(ACTIONS)
    assert everything(watch, ada) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://watch.test:8080"},
        {"origin": ""},
        {"origin": "http://watch.test", "sec_fetch_site": "cross-site"},
        {"origin": "", "referer": "https://evil.example/watch.test"},
    ],
)
def test_from_another_site_nothing_is_done(
    watch: Watch, ada: Client, headers: dict[str, str]
) -> None:
    form = {**FORM, "csrf": word(ada)}
    before = everything(watch, ada)
    answers = [ada.post(path, form, **headers).status for path in ACTIONS]
    assert answers == [403] * len(ACTIONS)
    assert everything(watch, ada) == before


def test_without_a_session_nothing_is_done(watch: Watch, web: Client) -> None:
    before = everything(watch, web)
    for path in ACTIONS:
        answer = web.post(path, {**FORM, "csrf": "x"})
        assert (answer.status, answer.header("location")) == (303, "/sign-in")
    assert everything(watch, web) == before


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("text/plain", b"a=b", 415),
        ("", b"a=b", 415),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 70_000, 413),
        ("application/x-www-form-urlencoded", b"a=b&" * 100 + b"a=b", 400),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", b"\xff=b", 400),
    ],
)
def test_what_is_no_form_is_refused(ada: Client, media: str, body: bytes, status: int) -> None:
    headers = {"origin": "http://watch.test", "content-type": media}
    for path in ("/sign-in", *ACTIONS):
        assert (path, ada.call("POST", path, body, headers).status) == (path, status)


def test_a_form_that_says_it_is_too_large_is_not_read(ada: Client) -> None:
    headers = {
        "origin": "http://watch.test",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": "9" * 40,
    }
    assert ada.call("POST", "/admin/images/pause", b"", headers).status == 413


def test_what_changes_something_is_not_had_by_get(ada: Client) -> None:
    assert [ada.get(path).status for path in ACTIONS] == [405] * len(ACTIONS)


def test_pages_of_those_who_signed_in_are_kept_by_no_cache(ada: Client) -> None:
    for path in ("/admin", "/admin/tokens", "/sign-in"):
        assert ada.get(path).header("cache-control") == "no-store"


def act(ada: Client, what: str, **form: str) -> Answer:
    return ada.post(f"/admin/{what}", {"csrf": word(ada), **form})


def test_an_image_is_paused_and_resumed(watch: Watch, ada: Client) -> None:
    done(act(ada, "images/pause", image=IMAGE), "paused")
    assert watch.images()[0].paused_at == NOW
    assert "paused since" in ada.get("/admin?done=paused").text
    done(act(ada, "images/resume", image=IMAGE), "resumed")
    assert watch.images()[0].paused_at is None


def test_an_image_is_looked_at_soon_in_all_its_places(watch: Watch, ada: Client) -> None:
    watch.knows(state("2.6.1"), state("2.6.0"), state("2.5.0", seen(index=""), digest=""))
    done(act(ada, "images/look", image=IMAGE), "looked")
    assert watch.hints == [(HUB, ""), (HUB, "2.6.1"), (HUB, "2.6.0")]


def test_an_image_is_added_and_removed(watch: Watch, ada: Client) -> None:
    answer = act(
        ada,
        "images/add",
        **{"in": "quay.io/a/b\r\n\r\n ghcr.io/a/b ", "platforms": "linux/amd64"},
    )
    done(answer, "added")
    assert [each.name for each in watch.images()] == [IMAGE, "a/b"]
    assert [each.repository for each in watch.images()[1].rule.places] == [
        "quay.io/a/b",
        "ghcr.io/a/b",
    ]
    done(act(ada, "images/remove", image="a/b"), "removed")
    assert [each.name for each in watch.images()] == [IMAGE]


def test_an_image_that_cannot_be_added_is_asked_for_again(ada: Client) -> None:
    answer = act(ada, "images/add", **{"in": "", "platforms": "linux/amd64\n<b>", "late": "2h"})
    assert answer.status == 422
    assert "&#39;in&#39;" in answer.text
    assert "linux/amd64\n&lt;b&gt;</textarea>" in answer.text
    assert 'name="late" value="2h"' in answer.text


def test_an_image_of_the_file_has_no_button_to_remove_it(watch: Watch, ada: Client) -> None:
    watch.watch(image(), image("mine", origin="page"))
    page = ada.get("/admin").text
    assert page.count('action="/admin/images/remove"') == 1
    assert 'aria-label="Remove: mine"' in page
    answer = act(ada, "images/remove", image=IMAGE)
    assert answer.status == 422
    assert "gotify/server stands in watch.yaml; take it out there" in answer.text


@pytest.mark.parametrize("newest", ["-1", "x", "\u0661", "9" * 5000])
def test_a_number_that_is_none_is_refused(ada: Client, newest: str) -> None:
    asked = {"in": "ghcr.io/me/mine", "platforms": "linux/amd64", "newest": newest}
    answer = act(ada, "images/add", **asked, versions="*")
    assert answer.status == 422
    assert "newest" in answer.text


@pytest.mark.parametrize("what", ["pause", "resume", "remove", "look"])
def test_nothing_is_done_to_an_image_that_is_not_there(ada: Client, what: str) -> None:
    assert act(ada, f"images/{what}", image="<none>").status == 404


def test_an_incident_is_taken_note_of_once(watch: Watch, ada: Client) -> None:
    watch.knows(opened=[Incident(kind="unreachable", began=NOW, cause="<i>no", registry="ghcr.io")])
    assert "&lt;i&gt;no" in ada.get("/admin").text
    done(act(ada, "incidents/acknowledge", incident="1"), "acknowledged")
    assert watch.history.open_incidents()[0].acknowledged_by == "ada"
    page = ada.get("/admin").text
    assert "ada took note of it" in page
    assert "Take note" not in page


@pytest.mark.parametrize("number", ["", "0", "7", "-1", "x", "\u0661", "9" * 400, "1 OR 1=1"])
def test_an_incident_that_is_not_there_is_not_taken_note_of(ada: Client, number: str) -> None:
    assert act(ada, "incidents/acknowledge", incident=number).status == 404


def test_what_keeps_somebody_from_being_told_is_shown(watch: Watch, ada: Client) -> None:
    watch.knows(notices=[Notice(recipient="ops", due=NOW - 60, events=(event("late"),))])
    [waiting] = watch.history.notices.waiting(NOW)
    watch.history.notices.attempt(waiting)
    watch.history.notices.failed(waiting.id, "no answer from <push>", NOW + 60)
    assert "no answer from &lt;push&gt;" in ada.get("/admin").text
    watch.history.notices.give_up(waiting.id, "was away for too long", NOW)
    assert "was away for too long" in ada.get("/admin").text
    assert written(ada, "GET", "/api/v1/notices").json()["recipients"] == [
        {
            "recipient": "ops",
            "notices": 0,
            "failing": 0,
            "given_up": 1,
            "fault": "was away for too long",
            "oldest": None,
        }
    ]


def test_what_was_done_is_said_in_our_words_alone(ada: Client) -> None:
    assert "The image is paused." in ada.get("/admin?done=paused").text
    assert "call me" not in ada.get("/admin?done=call+me").text


def test_to_load_a_page_again_sends_nothing_again(ada: Client) -> None:
    made = act(ada, "tokens/make", label="CI")

    assert '<a href="/admin">Refresh</a>' in made.text
    assert '<a href="">Refresh</a>' in ada.get("/admin/tokens").text


def test_the_link_to_the_administration_holds_for_who_signed_in_and_who_did_not(
    ada: Client, watch: Watch
) -> None:
    for page in (ada.get("/admin"), client(watch).get("/")):
        assert '<a href="/admin">Administration</a>' in page.text


def test_a_token_is_shown_once(ada: Client) -> None:
    answer = act(ada, "tokens/make", label="CI <b>", scope="write")
    assert answer.status == 200
    shown = answer.text.split("<code>")[1].split("</code>")[0]
    bearer = f"Bearer {shown}"
    assert ada.send("POST", f"/api/v1/images/{IMAGE}/pause", authorization=bearer).status == 200
    page = ada.get("/admin/tokens").text
    assert shown not in page
    assert "CI &lt;b&gt;" in page
    assert "read and write" in page


def test_a_token_may_read_unless_more_is_asked_for(ada: Client) -> None:
    act(ada, "tokens/make", label="CI")
    [made] = accounts(ada).tokens("ada")
    assert made.may_write is False


def test_a_token_without_a_name_is_not_made(ada: Client) -> None:
    answer = act(ada, "tokens/make", label=" ")
    assert answer.status == 422
    assert "the token has no name" in answer.text


def test_one_revokes_ones_own_tokens_and_no_others(ada: Client) -> None:
    bearer = token(ada, name="bob")
    user(ada, "ada")
    sign_in(ada)
    assert act(ada, "tokens/revoke", token="1").status == 404
    assert ada.get("/api/v1/notices", authorization=bearer).status == 200
    act(ada, "tokens/make", label="CI")
    [mine] = accounts(ada).tokens("ada")
    answer = act(ada, "tokens/revoke", token=str(mine.id))
    assert answer.header("location") == "/admin/tokens?done=revoked"
    assert accounts(ada).tokens("ada") == []


def test_no_secret_is_logged(watch: Watch, web: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sign_in(web, PASSWORD, "name and password mixed up")
    sign_in(web)
    answer = act(web, "tokens/make", label="CI", scope="write")
    made = answer.text.split("<code>")[1].split("</code>")[0]
    web.get("/api/v1/images", authorization=f"Bearer {made}")
    web.get("/api/v1/images", authorization="Bearer mfw_" + "a" * 43)
    told = caplog.text
    assert "ada signed in from 192.0.2.7" in told
    for secret in (PASSWORD, "mixed up", made, "a" * 43, web.cookies["manyfest"], word(web)):
        assert secret not in told


def written(web: Client, method: str, path: str, value: object = None, **headers: str) -> Answer:
    answer = web.send(method, path, value, **headers)
    described_answer(method, path, answer)
    return answer


CHANGES: list[tuple[str, str, object]] = [
    ("POST", "/api/v1/images", {"in": ["quay.io/a/b"], "platforms": ["linux/amd64"]}),
    ("DELETE", f"/api/v1/images/{IMAGE}", None),
    ("POST", f"/api/v1/images/{IMAGE}/pause", None),
    ("POST", f"/api/v1/images/{IMAGE}/resume", None),
    ("POST", f"/api/v1/images/{IMAGE}/look", None),
    ("POST", "/api/v1/incidents/1/acknowledge", None),
]


@pytest.mark.parametrize(("method", "path", "value"), CHANGES)
def test_a_program_changes_nothing_without_a_token_that_may(
    watch: Watch, ada: Client, method: str, path: str, value: object
) -> None:
    before = everything(watch, ada)
    answer = written(ada, method, path, value)
    assert answer.status == 401  # whatever cookie came along
    answer = written(ada, method, path, value, authorization="Bearer mfw_" + "a" * 43)
    assert answer.status == 401
    reading = accounts(ada).make_token("ada", "reads", may_write=False)
    answer = written(ada, method, path, value, authorization=f"Bearer {reading.reveal()}")
    assert answer.status == 403
    assert everything(watch, ada)[:2] == before[:2]  # type: ignore[index]


def test_a_program_does_all_that_the_page_does(watch: Watch, web: Client) -> None:
    watch.knows(state(), opened=[Incident(kind="late", began=NOW, cause="", image=IMAGE, tag="1")])
    bearer: dict[str, Any] = {"authorization": token(web, may_write=True)}
    added = written(web, *CHANGES[0], **bearer)
    assert (added.status, added.json()["name"]) == (201, "a/b")
    assert written(web, "POST", f"/api/v1/images/{IMAGE}/pause", **bearer).json()["paused_since"]
    resumed = written(web, "POST", f"/api/v1/images/{IMAGE}/resume", **bearer).json()
    assert resumed["paused_since"] is None
    assert resumed["newest"]["tag"] == "2.6.1"
    asked = written(web, "POST", f"/api/v1/images/{IMAGE}/look?tag=2.6.1", **bearer)
    assert (asked.status, asked.json()) == (202, {"places": 2})
    assert watch.hints == [(HUB, "2.6.1")]
    noted = written(web, "POST", "/api/v1/incidents/1/acknowledge", **bearer)
    assert noted.json()["acknowledged_at"] == "2026-11-26T20:31:00Z"
    removed = written(web, "DELETE", "/api/v1/images/a%2Fb", **bearer)
    assert (removed.status, removed.body) == (204, b"")


@pytest.mark.parametrize(
    ("method", "path", "value", "status", "detail"),
    [
        (
            "POST",
            "/api/v1/images",
            {"in": ["quay.io/a/b"], "platforms": ["linux/amd64"], "every": 0},
            422,
            "'every': less than a second; write 5m",
        ),
        ("POST", "/api/v1/images", [1], 422, "expected object, got array"),
        (
            "DELETE",
            f"/api/v1/images/{IMAGE}",
            None,
            422,
            "gotify/server stands in watch.yaml; take it out there",
        ),
        ("DELETE", "/api/v1/images/none", None, 404, "no image 'none' is watched"),
        ("POST", "/api/v1/incidents/7/acknowledge", None, 404, "there is no such incident"),
        ("POST", f"/api/v1/images/{IMAGE}/look?tag=%2F", None, 400, "'/' is not a tag"),
    ],
)
def test_a_program_is_told_what_was_wrong(
    web: Client, method: str, path: str, value: object, status: int, detail: str
) -> None:
    answer = written(web, method, path, value, authorization=token(web, may_write=True))
    assert (answer.status, answer.json()["detail"]) == (status, detail)


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("application/json", b"{", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b'{"a":' * 10_000, 400),
        ("application/json", b'{"in":"' + b"x" * 70_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_none_is_refused(web: Client, media: str, body: bytes, status: int) -> None:
    headers = {"content-type": media, "authorization": token(web, may_write=True)}
    answer = web.call("POST", "/api/v1/images", body, headers)
    assert answer.status == status
    described_answer("POST", "/api/v1/images", answer)


def test_troubles_and_notices_are_for_those_who_signed_in(watch: Watch, web: Client) -> None:
    watch.trouble = ("the history is away",)
    for path in ("/api/v1/troubles", "/api/v1/notices"):
        assert written(web, "GET", path).status == 401
    sign_in(web)
    assert written(web, "GET", "/api/v1/troubles").json() == {"troubles": ["the history is away"]}
    assert written(web, "GET", "/api/v1/notices").json() == {"recipients": []}


def test_a_closed_page_is_open_to_those_who_signed_in(tmp_path: Path) -> None:
    watch = Watch(tmp_path, public=False)
    web = client(watch)
    user(web)
    assert web.get("/").header("location") == "/sign-in?next=%2F"
    assert web.get("/api/v1/images").status == 401
    sign_in(web)
    assert web.get("/").status == 200
    assert web.get("/api/v1/images").status == 200
    watch.history.close()
