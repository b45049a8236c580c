"""Every type of ``auth`` is read strictly, shows no secret, and its mistakes are named."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import Auth, BasicAuth, HmacAuth, OAuth2Auth, Secret, read_configuration
from etl_actors.settings.secret import decode_secret, encode_masked

WHOLE = {
    "api_key": 'value = "canary"',
    "bearer": 'token = "canary"',
    "basic": 'username = "canary", password = "canary"',
    "hmac": 'key = "canary", secret = "canary"',
    "oauth2": 'token_url = "https://h/t", client_id = "id", client_secret = "canary", scopes = ["a"]',
}


def write(folder: Path, auth: str, more: str = "", url: str = "https://h/x") -> Path:
    """A folder with one connector."""
    (folder / "connectors").mkdir(exist_ok=True)
    text = f'[[connectors]]\nconnector_id = "one"\nurl = "{url}"\nauth = {{ {auth} }}\n{more}\n'
    (folder / "connectors" / "a.toml").write_text(text)
    return folder


def read(folder: Path, auth: str, **environment: str) -> Auth:
    return read_configuration(write(folder, auth), environment).connectors[0].auth


def mistakes(folder: Path, auth: str, more: str = "", url: str = "https://h/x") -> list[str]:
    """The key paths that are wrong; no reason shows a secret."""
    with pytest.raises(ConfigError) as caught:
        read_configuration(write(folder, auth, more, url), {})
    assert "canary" not in str(caught.value)
    return [path.removeprefix("connectors[0].") for _, path, _ in caught.value.mistakes]


@pytest.mark.parametrize("kind", WHOLE)
def test_secrets_are_masked(kind: str, tmp_path: Path) -> None:
    """In the repr and when encoded; and the type survives."""
    auth = read(tmp_path, f'type = "{kind}", {WHOLE[kind]}')
    encoded = msgspec.json.encode(auth, enc_hook=encode_masked).decode()
    assert "canary" not in repr(auth) + encoded
    assert "***" in encoded
    assert type(msgspec.json.decode(encoded, type=Auth, dec_hook=decode_secret)) is type(auth)


def test_defaults_and_variables(tmp_path: Path) -> None:
    """What is not written has a default; a variable that is not set is empty, not an error."""
    auth = read(tmp_path, 'type = "hmac", key = "${K:-}", secret = "${S:-}"', K="k")
    assert auth == HmacAuth(key=Secret("k"), secret=Secret())
    assert isinstance(auth, HmacAuth)
    assert (auth.algorithm, auth.key_header, auth.recv_window) == ("sha256", "X-MBX-APIKEY", None)
    assert read(tmp_path, 'type = "basic", username = "${U:-}", password = ""') == BasicAuth(
        username=Secret(), password=Secret()
    )
    oauth = read(tmp_path, 'type = "oauth2", token_url = "https://h/t", client_id = "i", client_secret = "s"')
    assert isinstance(oauth, OAuth2Auth)
    assert oauth.scopes == ()


@pytest.mark.parametrize(
    ("auth", "path"),
    [
        ('type = "bearer"', "auth.token"),
        ('type = "bearer", token = "x", value = "y"', "auth.value"),
        ('type = "bearer", token = "canary\\n"', "auth.token"),
        ('type = "bearer", token = "canary ü"', "auth.token"),
        ('type = "api_key"', "auth.value"),
        ('type = "api_key", value = "canary\\n"', "auth.value"),
        ('type = "api_key", value = "x", header = "a", param = "b"', "auth"),
        ('type = "basic", username = "canary:x", password = "p"', "auth.username"),
        ('type = "hmac", key = "canary ", secret = "s"', "auth.key"),
        ('type = "hmac", key = "k", secret = "s", algorithm = "md5"', "auth.algorithm"),
        ('type = "hmac", key = "k", secret = "s", key_header = "a b"', "auth.key_header"),
        ('type = "hmac", key = "k", secret = "s", recv_window = 0', "auth.recv_window"),
        ('type = "hmac", key = "k", secret = "s", timestamp_param = "signature"', "auth.signature_param"),
        ('type = "oauth2", token_url = "h/t", client_id = "i", client_secret = "canary"', "auth.token_url"),
        (
            'type = "oauth2", token_url = "https://h", client_id = "i", client_secret = "s", scopes = ["a b"]',
            "auth.scopes",
        ),
    ],
)
def test_mistakes_name_their_key(auth: str, path: str, tmp_path: Path) -> None:
    """Where it is wrong, without saying what stands there."""
    assert mistakes(tmp_path, auth) == [path]


def test_what_auth_sends_is_not_written_twice(tmp_path: Path) -> None:
    """Two of the same header, a parameter that the signature adds, a user in the url."""
    bearer, hmac = 'type = "bearer", token = "t"', 'type = "hmac", key = "k", secret = "s"'
    assert mistakes(tmp_path, bearer, 'headers = { authorization = "x" }') == ["headers.authorization"]
    assert mistakes(tmp_path, bearer, url="https://u:canary@h/") == ["url"]
    assert mistakes(tmp_path, hmac, "params = { timestamp = 1 }") == ["params.timestamp"]
    assert mistakes(tmp_path, hmac, url="https://h/?a=1&signature=x") == ["url"]
