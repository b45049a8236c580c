"""The address that the service says it has."""

from __future__ import annotations

import socket

import pytest

from etl_actors.web.listener import openable


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://0.0.0.0:8000", f"http://{socket.gethostname()}:8000"),
        ("http://[::]:8000", f"http://{socket.gethostname()}:8000"),
    ],
)
def test_the_page_is_told_with_an_address_that_can_be_opened(address: str, shown: str) -> None:
    """Nobody can open the address that stands for all."""
    assert openable(address) == shown
