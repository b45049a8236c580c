"""A config folder is decoded strictly, and every mistake names its file, its key and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import ApiKeyAuth, Configuration, Secret, read_configuration

ONE = """
[[connectors]]
connector_id = "one"
url = "https://example.org/data"
"""


def write(folder: Path, *, service: str | None = None, **connectors: str) -> Path:
    """A config folder with the given files."""
    (folder / "connectors").mkdir()
    if service is not None:
        (folder / "service.toml").write_text(service)
    for name, text in connectors.items():
        (folder / "connectors" / f"{name}.toml").write_text(text)
    return folder


def mistakes(folder: Path, environment: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    """What is wrong with the folder: (file name, key path, reason)."""
    with pytest.raises(ConfigError) as caught:
        read_configuration(folder, environment or {})
    return [(Path(file).name, path, reason) for file, path, reason in caught.value.mistakes]


def test_an_empty_folder_means_the_defaults(tmp_path: Path) -> None:
    """Nothing has to be written to start."""
    assert read_configuration(tmp_path, {}) == Configuration()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error names the folder."""
    assert mistakes(tmp_path / "nowhere") == [("nowhere", "--config", "no such folder")]


def test_the_environment_fills_references_and_their_defaults(tmp_path: Path) -> None:
    """``${NAME}``, ``${NAME:-default}`` and numbers that come as text."""
    folder = write(tmp_path, service='[server]\nport = "${PORT:-8001}"\nhost = "${HOST}"\n')
    server = read_configuration(folder, {"HOST": "localhost"}).service.server
    assert (server.host, server.port) == ("localhost", 8001)


def test_variables_of_the_original_count_without_being_written(tmp_path: Path) -> None:
    """``DATABASE_URL``, ``DEBUG`` and ``WORKERS`` work with no file at all."""
    service = read_configuration(
        tmp_path, {"DATABASE_URL": "postgresql://h/d", "DEBUG": "True", "WORKERS": "4"}
    ).service
    assert service.database.url == Secret("postgresql://h/d")
    assert service.logging.debug is True
    assert service.server.workers == 4


def test_the_file_beats_the_default_reference(tmp_path: Path) -> None:
    """A key that is written is not read from the environment."""
    folder = write(tmp_path, service='[database]\nurl = "postgresql://from-file/d"\n')
    service = read_configuration(folder, {"DATABASE_URL": "postgresql://from-environment/d"}).service
    assert service.database.url.reveal() == "postgresql://from-file/d"


def test_a_secret_may_come_from_the_file_that_name_file_points_to(tmp_path: Path) -> None:
    """How container secrets arrive; the trailing newline is not part of it."""
    (tmp_path / "key").write_text("s3cret\n")
    folder = write(tmp_path, a=ONE + 'auth = { type = "api_key", value = "${KEY:-}" }\n')
    (connector,) = read_configuration(folder, {"KEY_FILE": str(tmp_path / "key")}).connectors
    assert isinstance(connector.auth, ApiKeyAuth)
    assert connector.auth.value.reveal() == "s3cret"


def test_a_variable_that_must_be_set_says_its_message(tmp_path: Path) -> None:
    """``${NAME:?message}``."""
    folder = write(tmp_path, service='[database]\nurl = "${DB:?which database?}"\n')
    assert mistakes(folder) == [("service.toml", "database.url", "which database? (environment variable DB)")]


def test_no_variable_can_add_a_key(tmp_path: Path) -> None:
    """References are filled in after the TOML was parsed."""
    folder = write(tmp_path, service='[server]\nhost = "${HOST}"\n')
    hostile = 'x"\nport = 1\n#'
    assert read_configuration(folder, {"HOST": hostile}).service.server.host == hostile


def test_every_mistake_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    """Unknown keys with a guess, wrong types, unsound ids, each with its place."""
    folder = write(
        tmp_path,
        service='[server]\nhots = "x"\ndrain_seconds = "soon"\n',
        a='[[connectors]]\nconnector_id = "a b"\nurl = "http://x"\nintervall_seconds = 1\n',
    )
    found = mistakes(folder)
    assert ("service.toml", "server.hots", "unknown key; did you mean 'host'?") in found
    assert ("service.toml", "server.drain_seconds", "a number is needed, this is a text") in found
    assert ("a.toml", "connectors[0].intervall_seconds", "unknown key; did you mean 'interval_seconds'?") in found
    assert any(path == "connectors[0].connector_id" and "begins with a letter" in reason for _, path, reason in found)
    assert len(found) == 4


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    """The parser's own words, which name line and column."""
    ((file, path, reason),) = mistakes(write(tmp_path, a="[[connectors]\n"))
    assert (file, path) == ("a.toml", "(syntax)")
    assert "line 1" in reason


def test_a_text_without_quotes_is_told_by_its_key(tmp_path: Path) -> None:
    """And not by its value, which may be a secret."""
    ((_, _, reason),) = mistakes(write(tmp_path, a="[[connectors]]\nsecret.token = hunter2\n"))
    assert reason == "Invalid value (at line 2, column 16): that of `secret.token`; a text stands in quotes"


def test_an_id_may_stand_only_once_in_all_files(tmp_path: Path) -> None:
    """The other file is named."""
    ((file, path, reason),) = mistakes(write(tmp_path, a=ONE, b=ONE))
    assert (file, path) == ("b.toml", "connectors[0].connector_id")
    assert "a.toml" in reason


@pytest.mark.parametrize(
    ("line", "key", "reason"),
    [
        ('connector_id = "items"', "connector_id", "reserved"),
        ('connector_id = "ftp"\nurl = "ftp://x/y"', "url", "http:// or https://"),
        ('connector_id = "nohost"\nurl = "http:///y"', "url", "names no host"),
        ('connector_id = "h"\nheaders = { "A b" = "x" }', "headers.A b", "no name"),
        ('connector_id = "h"\nheaders = { "A" = "x\\ny" }', "headers.A", "one line"),
        ('connector_id = "h"\nheaders = { "A" = "\u00e9\u20ac" }', "headers.A", "ASCII"),
        ('connector_id = "h"\nheaders = { "A" = " x" }', "headers.A", "without spaces around it"),
        ('connector_id = "long"\nurl = "http://h/' + "a" * 8_192 + '"', "url", "8,192 are the most"),
        ('connector_id = "k"\nauth = { type = "api_key", value = "a\\nb" }', "auth.value", "newline"),
        ('connector_id = "both"\nauth = { type = "api_key", header = "A", param = "b", value = "c" }', "auth", "both"),
    ],
)
def test_what_no_schema_sees_is_checked_too(tmp_path: Path, line: str, key: str, reason: str) -> None:
    """Reserved ids, urls that cannot be polled, contradicting credentials."""
    url = "" if "url" in line else '\nurl = "https://example.org"'
    ((_, path, found),) = mistakes(write(tmp_path, a=f"[[connectors]]\n{line}{url}\n"))
    assert path == f"connectors[0].{key}"
    assert reason in found


def test_a_limit_must_be_declared(tmp_path: Path) -> None:
    """A connector that names a limit nobody declared is refused, with those that are."""
    text = "[limits.slow]\nrequests_per_minute = 5\n" + ONE + 'limit = "fast"\n'
    ((_, path, reason),) = mistakes(write(tmp_path, a=text))
    assert path == "connectors[0].limit"
    assert reason == "no [limits.fast]; known: slow"


def test_secrets_never_show(tmp_path: Path) -> None:
    """Neither in a repr nor in an error."""
    folder = write(tmp_path, a=ONE + 'auth = { type = "api_key", value = "canary-1" }\n')
    assert "canary-1" not in repr(read_configuration(folder, {}))
    assert "canary-1" not in str(read_configuration(folder, {}).connectors[0].auth)


def test_the_fingerprint_changes_with_what_is_read_and_how_it_is_mapped(tmp_path: Path) -> None:
    """Url, params and mapping count; interval and name do not."""
    (one,) = read_configuration(write(tmp_path, a=ONE), {}).connectors
    from msgspec.structs import replace

    assert replace(one, interval_seconds=3, connector_name="x").fingerprint() == one.fingerprint()
    assert replace(one, url="https://example.org/other").fingerprint() != one.fingerprint()
    assert replace(one, params={"a": 1}).fingerprint() != one.fingerprint()


def test_tables_with_names_of_their_own_are_named_in_mistakes(tmp_path: Path) -> None:
    """Limits and symbol tables; numbers of theirs may come from the environment too."""
    limits = '[limits.fine]\nrequests_per_minute = 5\n[limits.slow]\nrequests_per_minute = "${CALLS:-7}"\n'
    folder = write(tmp_path, a=limits)
    assert read_configuration(folder, {}).limits["slow"].requests_per_minute == 7
    assert mistakes(folder, {"CALLS": "many"}) == [
        ("a.toml", "limits.slow.requests_per_minute", "a number is needed, this is a text")
    ]
    (folder / "connectors" / "a.toml").write_text(limits + "requests_per_minut = 1\n")
    assert mistakes(folder) == [
        ("a.toml", "limits.slow.requests_per_minut", "unknown key; did you mean 'requests_per_minute'?")
    ]


def test_what_may_be_chosen_is_listed(tmp_path: Path) -> None:
    """Methods, kinds and ways to authenticate."""
    folder = write(tmp_path, a=ONE + 'method = "FETCH"\nauth = { type = "magic" }\n')
    reasons = {path: reason for _, path, reason in mistakes(folder)}
    assert "'GET', 'HEAD'" in reasons["connectors[0].method"]
    assert "'api_key', 'basic', 'bearer', 'hmac', 'none', 'oauth2'" in reasons["connectors[0].auth.type"]


def test_connection_counts_must_fit_together(tmp_path: Path) -> None:
    """More at least than at most is a mistake."""
    folder = write(tmp_path, service="[database]\nmin_connections = 9\nmax_connections = 3\n")
    assert mistakes(folder)[0][1] == "database.min_connections"


def test_a_table_in_the_wrong_place_is_told_where_it_belongs(tmp_path: Path) -> None:
    """``[items]`` for ``[connectors.items]``, ``[connectors]`` for ``[[connectors]]``."""
    folder = write(tmp_path, a=ONE + "[items]\nprice = 'p'\n", b="[connectors]\nconnector_id = 'x'\n")
    reasons = {file: reason for file, _, reason in mistakes(folder)}
    assert "[connectors.items] missing" in reasons["a.toml"]
    assert "write [[connectors]]" in reasons["b.toml"]
