"""A new key takes over from an old one while both are in use."""

from __future__ import annotations

import pytest

from etl_actors.vault import Keyring, SealBroken, Vault, WrongKey, key_id_of

from .tools import SECRET, vault

OLD, NEW, OTHER = vault(1), vault(2), vault(3)


def test_rewrapping_moves_a_secret_to_the_new_key() -> None:
    """After a rewrap the new key opens the secret and the old one does not."""
    moved = NEW.rewrap(OLD.seal(SECRET, owner="a", field="b"), OLD, owner="a", field="b")
    assert NEW.open(moved, owner="a", field="b").reveal() == SECRET
    with pytest.raises(WrongKey):
        OLD.open(moved, owner="a", field="b")


def test_rewrapping_twice_changes_nothing() -> None:
    """A rotation that was cut off can be run again from its start."""
    moved = NEW.rewrap(OLD.seal(SECRET, owner="a", field="b"), OLD, owner="a", field="b")
    assert NEW.rewrap(moved, OLD, owner="a", field="b") == moved


@pytest.mark.parametrize("sealer", [OLD, NEW])
def test_rewrapping_blesses_nothing_that_was_moved(sealer: Vault) -> None:
    """What does not open for its owner is an error and not a fresh seal."""
    stored = sealer.seal(SECRET, owner="a", field="b")
    with pytest.raises(SealBroken):
        NEW.rewrap(stored, OLD, owner="elsewhere", field="b")


def test_a_ring_opens_under_old_and_new_and_seals_under_new() -> None:
    """A service that holds both keys does not notice how far a rotation has come."""
    ring = Keyring(NEW, OLD)
    for sealer in (OLD, NEW, ring):
        assert ring.open(sealer.seal(SECRET, owner="a", field="b"), owner="a", field="b").reveal() == SECRET
    assert key_id_of(ring.seal(SECRET, owner="a", field="b")) == NEW.key_id == ring.key_id


def test_a_ring_without_the_key_names_all_it_has() -> None:
    """The error names the key that is missing and those that are there."""
    with pytest.raises(WrongKey) as caught:
        Keyring(NEW, OLD).open(OTHER.seal(SECRET, owner="a", field="b"), owner="a", field="b")
    assert all(one.key_id in str(caught.value) for one in (OLD, NEW, OTHER))


def test_a_start_notices_secrets_of_another_key() -> None:
    """Before anything is opened, the stored texts tell whether the keys at hand are the right ones."""
    stored = [OLD.seal(SECRET, owner="a", field="b"), "never sealed", NEW.seal("", owner="c", field="d")]
    Keyring(NEW, OLD).require_keys_of(stored)
    with pytest.raises(WrongKey):
        Keyring(NEW).require_keys_of(stored)
