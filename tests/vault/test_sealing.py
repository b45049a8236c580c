"""A sealed secret opens for its owner and field under its key, and in no other way."""

from __future__ import annotations

import base64
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl_actors.settings import Secret
from etl_actors.vault import (
    CannotSeal,
    Keyring,
    NotSealed,
    SealBroken,
    Vault,
    VaultError,
    WrongKey,
    is_sealed,
    key_id_of,
)
from etl_actors.vault.hidden import Hidden

from .tools import SECRET, everything_said, vault

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
OURS = vault()


@given(secret=TEXTS, owner=TEXTS, field=TEXTS)
@example(secret="", owner="", field="")
def test_any_text_comes_back(secret: str, owner: str, field: str) -> None:
    """Whatever text was sealed comes back exactly, the empty one too, and the sealed form is recognised."""
    stored = OURS.seal(secret, owner=owner, field=field)
    assert OURS.open(stored, owner=owner, field=field) == Secret(secret)
    assert is_sealed(stored)
    assert key_id_of(stored) == OURS.key_id


def test_a_megabyte_comes_back() -> None:
    """A secret of a megabyte is no special case."""
    secret = "é0" * 350_000
    assert OURS.open(OURS.seal(secret, owner="a", field="b"), owner="a", field="b").reveal() == secret


@pytest.mark.parametrize(
    ("secret", "owner", "field"),
    [(f"{SECRET}\ud800", "a", "b"), (SECRET, "a\udfff", "b"), (SECRET, "a", "\ud800b")],
)
def test_surrogates_are_refused(secret: str, owner: str, field: str) -> None:
    """Half a character cannot be stored, and the refusal does not repeat the secret."""
    with pytest.raises(CannotSeal, match="surrogate") as caught:
        OURS.seal(secret, owner=owner, field=field)
    assert SECRET not in everything_said(caught.value)
    assert str(caught.value).isascii()


def test_every_altered_character_is_noticed() -> None:
    """No character of the stored text can be replaced by another without an error of the vault."""
    stored = OURS.seal(SECRET, owner="a", field="b")
    for place in range(len(stored)):
        for other in set("Aa0_-.f") - {stored[place]}:
            with pytest.raises(VaultError):
                OURS.open(stored[:place] + other + stored[place + 1 :], owner="a", field="b")


def test_every_altered_byte_is_noticed() -> None:
    """No single bit of nonce, ciphertext or tag can change."""
    head, body = OURS.seal(SECRET, owner="a", field="b").rsplit(".", 1)
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for bit in range(len(raw) * 8):
        altered = bytearray(raw)
        altered[bit // 8] ^= 1 << bit % 8
        text = base64.urlsafe_b64encode(altered).decode().rstrip("=")
        with pytest.raises(SealBroken) as caught:
            OURS.open(f"{head}.{text}", owner="a", field="b")
    assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize("length", range(1, 4))
def test_the_unused_bits_of_base64_are_not_free(length: int) -> None:
    """A body has one spelling only, so that the same seal cannot be stored as two different texts."""
    stored = OURS.seal("x" * length, owner="a", field="b")
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if last != stored[-1]:
            with pytest.raises(VaultError):
                OURS.open(stored[:-1] + last, owner="a", field="b")


@pytest.mark.parametrize(
    ("owner", "field"), [("two", "token"), ("one", "key"), ("onet", "oken"), ("", "onetoken"), ("one\ud800", "token")]
)
def test_a_seal_moved_elsewhere_fails(owner: str, field: str) -> None:
    """What was sealed for one connector and field opens for no other, also when the names run together alike."""
    stored = OURS.seal(SECRET, owner="one", field="token")
    with pytest.raises(SealBroken, match="belongs to another connector") as caught:
        OURS.open(stored, owner=owner, field=field)
    assert SECRET not in everything_said(caught.value)


def test_no_two_seals_are_alike() -> None:
    """Equal secrets are stored as different texts: every seal has a nonce of its own."""
    bodies = [OURS.seal(SECRET, owner="a", field="b").rsplit(".", 1)[1] for _ in range(10_000)]
    assert len({body[:16] for body in bodies}) == len(bodies)  # 16 characters are the 12 bytes of the nonce


def test_another_key_is_named_by_its_id() -> None:
    """Under a wrong key the error names both ids and says that ENCRYPTION_KEY is another one."""
    other = vault(2)
    with pytest.raises(WrongKey, match=r"ENCRYPTION_KEY .* is another one than the secret was stored under") as caught:
        other.open(OURS.seal(SECRET, owner="a", field="b"), owner="a", field="b")
    assert OURS.key_id in str(caught.value)
    assert other.key_id in str(caught.value)
    assert (caught.value.stored_under, caught.value.held) == (OURS.key_id, (other.key_id,))
    assert SECRET not in everything_said(caught.value)


@given(text=st.text() | st.from_regex(r"v[0-9]\.[0-9a-f]{15,17}\.[A-Za-z0-9_=-]{30,50}\n?", fullmatch=True))
@example(text="")
@example(text=SECRET)
@example(text=f"v1.{OURS.key_id}.{'A' * 41}")
@example(text=f"v2.{OURS.key_id}.{'A' * 40}")
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    """Any other stored text is one error of the vault, which does not repeat it."""
    with pytest.raises(VaultError) as caught:
        OURS.open(text, owner="a", field="b")
    if not is_sealed(text):
        assert isinstance(caught.value, NotSealed)
        assert len(text) < 20 or text not in str(caught.value)


def test_a_text_that_looks_sealed_is_sealed_like_any_other() -> None:
    """A user may enter a sealed text as a secret; it comes back as entered and opens nothing."""
    once = OURS.seal(SECRET, owner="a", field="b")
    twice = OURS.seal(once, owner="mine", field="b")
    assert twice != once
    assert OURS.open(twice, owner="mine", field="b").reveal() == once


def test_nothing_shows_a_key() -> None:
    """A vault prints its key id only, and its key is not among its attributes."""
    key = Hidden(b"canary-key-of-32-bytes-exactly!!")
    ours = Vault(key)
    ring = Keyring(ours)
    shown = f"{key!r} {key} {ours!r} {ours} {ring!r} {ring} {[getattr(ours, name) for name in ours.__slots__]}"
    assert "canary" not in shown
    assert key.text() not in shown
    assert ours.key_id in repr(ours)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        pickle.dumps(ours)
