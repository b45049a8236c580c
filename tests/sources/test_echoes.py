"""What a provider repeats of our credentials goes no further."""

from __future__ import annotations

import pytest

from etl_actors.sources.echoes import without_echoes


@pytest.mark.parametrize(
    ("secret", "body"),
    [
        ("canary-1", b'{"you sent":"Bearer canary-1"}'),
        ("canary/2", b'{"you sent":"canary\\/2"}'),
        ('canary"3', b'{"you sent":"canary\\"3"}'),
        ("canary-\u00fc", '{"you sent":"canary-\u00fc"}'.encode()),
        ("canary-\u00fc", b'{"you sent":"canary-\\u00fc"}'),
    ],
)
def test_a_secret_is_masked_in_every_form_json_has(secret: str, body: bytes) -> None:
    """The rest of the answer stays as it is."""
    masked = without_echoes(body, [secret])
    assert b"canary" not in masked
    assert masked.startswith(b'{"you sent":"')
    assert b"***" in masked


def test_what_holds_no_secret_is_the_same_object() -> None:
    """No copy is made of the megabytes that most answers are; a very short secret is left alone."""
    body = b'[{"symbol":"BTCUSDT","price":"95000.50"}]'
    assert without_echoes(body, ["canary", "BTC", ""]) is body
