"""Users, tokens and sessions, and images that the page added, in the history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.errors import HistoryError
from manyfest.watch.history.batch import KeptImage, Session, Token, User
from manyfest.watch.history.history import History

ADA = User(name="ada", password="$2b$12$hash", made_at=1.0)
CI = Token(digest="d1", name="ci", user="ada", may_write=True, made_at=2.0)
BROWSER = Session(digest="s1", user="ada", csrf="word", ends_at=100.0)
APP = KeptImage(name="app", rule=b'{"image":"app"}', origin="page", added_at=1.0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(str(tmp_path / "history.db")) as opened:
        yield opened


def test_a_user_is_found_by_name(history: History) -> None:
    history.people.keep_user(ADA)
    assert history.people.user("ada") == ADA
    assert history.people.user("Ada") is None


def test_users_are_listed_by_name(history: History) -> None:
    bob = User(name="bob", password="x", made_at=0.0)
    history.people.keep_user(bob)
    history.people.keep_user(ADA)
    assert history.people.users() == [ADA, bob]


def test_a_new_password_signs_out_everywhere(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.keep_session(BROWSER, now=1.0)
    history.people.keep_user(User(name="ada", password="other", made_at=9.0))
    assert history.people.user("ada") == replace(ADA, password="other")
    assert history.people.session("s1", now=1.0) is None


def test_a_user_takes_tokens_and_sessions_along(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.add_token(CI)
    history.people.keep_session(BROWSER, now=1.0)
    assert history.people.remove_user("ada")
    assert history.people.token("d1") is None
    assert history.people.session("s1", now=1.0) is None


def test_there_is_nobody_to_remove(history: History) -> None:
    assert not history.people.remove_user("ada")


def test_a_token_is_found_by_the_digest_of_its_secret(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.add_token(CI)
    assert history.people.token("d1") == replace(CI, id=1)
    assert history.people.token("d2") is None


def test_a_token_that_is_added_again_is_there_once(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.add_token(CI)
    history.people.add_token(CI)
    assert history.people.tokens("ada") == [replace(CI, id=1)]


def test_a_token_of_nobody_is_refused(history: History) -> None:
    with pytest.raises(HistoryError, match="FOREIGN KEY"):
        history.people.add_token(CI)


def test_when_a_token_was_used_is_noted(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.add_token(CI)
    history.people.use_token("d1", at=7.0)
    assert history.people.token("d1") == replace(CI, id=1, used_at=7.0)


def test_only_its_user_removes_a_token(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.add_token(CI)
    assert not history.people.remove_token(1, user="bob")
    assert history.people.remove_token(1, user="ada")
    assert history.people.tokens("ada") == []


def test_a_session_lasts_until_it_ends(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.keep_session(BROWSER, now=1.0)
    assert history.people.session("s1", now=99.0) == BROWSER
    assert history.people.session("s1", now=100.0) is None


def test_a_session_is_made_to_last_longer(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.keep_session(BROWSER, now=1.0)
    history.people.keep_session(replace(BROWSER, ends_at=200.0), now=50.0)
    assert history.people.session("s1", now=150.0) == replace(BROWSER, ends_at=200.0)


def test_who_signs_out_is_signed_out(history: History) -> None:
    history.people.keep_user(ADA)
    history.people.keep_session(BROWSER, now=1.0)
    history.people.end_session("s1")
    assert history.people.session("s1", now=1.0) is None


def test_neither_hashes_nor_words_of_forms_are_shown() -> None:
    assert (repr(ADA), repr(BROWSER)) == ("<User ada>", "<Session of ada>")


def test_images_are_in_the_order_in_which_they_were_added(history: History) -> None:
    later = replace(APP, name="aaa", added_at=5.0)
    history.images.keep(later)
    history.images.keep(APP)
    assert history.images.all() == [APP, later]


def test_an_image_is_paused_and_resumed(history: History) -> None:
    history.images.keep(APP)
    history.images.keep(replace(APP, paused_at=9.0))
    assert history.images.all() == [replace(APP, paused_at=9.0)]
    history.images.keep(APP)
    assert history.images.all() == [APP]


def test_an_image_that_was_removed_is_not_there(history: History) -> None:
    history.images.keep(APP)
    history.images.remove("app")
    assert history.images.all() == []
