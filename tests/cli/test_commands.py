"""The commands: helpful, quick to say what is wrong, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from etl_actors import __version__
from etl_actors.shipped import shipped_config


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "ETL_DATA_DIR"}}
    return subprocess.run(
        [sys.executable, "-m", "etl_actors", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=inherited | environment,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        (), ("serve",), ("demo",), ("check",), ("export",), ("load",),
        ("keys",), ("keys", "create"), ("keys", "list"), ("keys", "revoke"),
        ("rejected",), ("rejected", "list"), ("rejected", "show"), ("rejected", "replay"), ("rejected", "drop"),
    ],
)  # fmt: skip
def test_help_explains_with_examples(command: tuple[str, ...]) -> None:
    """Every command has its own."""
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert "etl-actors" in done.stdout


def test_the_version_is_told() -> None:
    """``--version``."""
    assert __version__ in run("--version").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("serve", "--port", "70000"),
        ("serve", "--no-such-option"),
        ("serve", "--config", "/nonexistent/etl"),
        ("serve", "--host", "no such host"),
        ("serve", "--port", "0", "--data-dir", "/proc/nowhere"),
    ],
)
def test_bad_usage_is_one_clear_sentence_and_exit_code_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """On stderr, without a traceback."""
    done = run(*arguments, ETL_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_bad_config_names_file_key_and_mend(tmp_path: Path) -> None:
    """For ``check`` and for ``serve`` alike; nothing is started."""
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "mine.toml").write_text(
        '[[connectors]]\nconnector_id = "mine"\nurl = "https://example.org"\nintervall_seconds = 5\n'
        '[connectors.items]\nprice = "last..usd"\n'
    )
    for command in ("check", "serve"):
        done = run(command, "--config", str(tmp_path), ETL_DATA_DIR=str(tmp_path / "data"))
        assert done.returncode == 2
        assert "mine.toml" in done.stderr
        assert "connectors[0].intervall_seconds" in done.stderr
        assert "did you mean 'interval_seconds'?" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_wrong_expression_is_found_before_anything_starts(tmp_path: Path) -> None:
    """With its place; those of symbol tables too."""
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "mine.toml").write_text(
        '[[connectors]]\nconnector_id = "mine"\nurl = "https://example.org"\n[connectors.items]\nprice = "last..usd"\n'
        '[symbols.mine]\nurl = "https://example.org"\neach = "rows["\n'
    )
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 2
    assert "connectors[0].items.price" in done.stderr
    assert "symbols.mine.each" in done.stderr


def test_check_refuses_what_serve_would_refuse(tmp_path: Path) -> None:
    """Proxies that are no addresses and origins that are none, each by its place; what is sound passes."""
    (tmp_path / "service.toml").write_text(
        '[server]\nhost = "0.0.0.0"\ntrusted_proxies = ["10.0.0.0/8", "proxy.example", "10.0.0.1/8"]\n'
        'cors_origins = ["*", "https://a.example", "https://a.example/path", "a.example"]\n'
    )
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 2
    for place in ("trusted_proxies[1]", "trusted_proxies[2]", "cors_origins[2]", "cors_origins[3]"):
        assert f"server.{place}" in done.stderr
    assert "trusted_proxies[0]" not in done.stderr
    assert "cors_origins[1]" not in done.stderr
    (tmp_path / "service.toml").write_text('[server]\nhost = "0.0.0.0"\n[security]\nrequire_keys = "yes"\n')
    assert run("check", "--config", str(tmp_path)).returncode == 0


MISTAKEN = """
[[connectors]]
connector_id = "a b"
url = "ftp://example.org/"
intervall_seconds = 1
auth = { type = "bearer" }
[connectors.items]
price = "((("
coin_symbol = "nosuch(a)"
prise = "p"

[[connectors]]
connector_id = "sound"
url = "${NO_SUCH_URL}"
items = { price = "nosuch(b)" }
"""


def test_check_tells_the_mistakes_of_every_stage_at_once(tmp_path: Path) -> None:
    """Schema, urls and expressions, in all connectors, though the id of one is none; nothing that only follows."""
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "a.toml").write_text(MISTAKEN)
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 2
    places = [line.split("a.toml: ")[1].split(": ")[0] for line in done.stderr.splitlines()]
    assert sorted(places) == [
        "connectors[0].auth.token", "connectors[0].connector_id", "connectors[0].intervall_seconds",
        "connectors[0].items.coin_symbol", "connectors[0].items.price", "connectors[0].items.prise",
        "connectors[0].url", "connectors[1].items.price", "connectors[1].url",
    ]  # fmt: skip
    served = run("serve", "--config", str(tmp_path), "--data-dir", str(tmp_path / "data"))
    assert (served.returncode, served.stderr) == (2, done.stderr)


def test_check_looks_at_the_database_s_address_and_at_who_may_call(tmp_path: Path) -> None:
    """Another kind of database is refused without repeating the password; a star that counts for nothing is told."""
    (tmp_path / "service.toml").write_text('[database]\nurl = "mysql://root:canary@db/prices"\n')
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 2
    assert "database.url" in done.stderr
    assert "canary" not in done.stderr
    for url in ("postgresql://root@db/prices", "host=db dbname=prices"):
        (tmp_path / "service.toml").write_text(f'[server]\ncors_origins = ["*"]\n[database]\nurl = "{url}"\n')
        done = run("check", "--config", str(tmp_path))
        assert done.returncode == 0
        assert "cors_origins" in done.stdout


def test_check_says_when_nothing_is_polled(tmp_path: Path) -> None:
    """Sound, and most likely the wrong folder."""
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 0
    assert "nothing is polled" in done.stdout


def test_check_says_that_one_page_a_poll_is_counted(tmp_path: Path) -> None:
    """How many pages a list has is not known before it is read."""
    (tmp_path / "connectors").mkdir()
    connector = '[[connectors]]\nconnector_id = "one"\nurl = "http://127.0.0.1/"\npagination = "page"\n'
    (tmp_path / "connectors" / "a.toml").write_text(connector)
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 0
    assert "one page a poll is counted" in done.stdout


def test_check_names_the_streams_and_their_mistakes(tmp_path: Path) -> None:
    """A stream alone is something to do; a wrong step is told with its place."""
    (tmp_path / "connectors").mkdir()
    connector = '[[connectors]]\nconnector_id = "one"\nkind = "websocket"\nurl = "ws://127.0.0.1/"\n'
    (tmp_path / "connectors" / "a.toml").write_text(connector)
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 0
    assert "followed over WebSocket, and not in the estimates: one" in done.stdout
    assert "nothing is polled" not in done.stdout
    wrong = '[[connectors.handshake]]\nexpect = "nope(a)"\n[[connectors.handshake]]\ntimeout_seconds = 3\n'
    (tmp_path / "connectors" / "a.toml").write_text(connector + wrong)
    done = run("check", "--config", str(tmp_path))
    assert done.returncode == 2
    assert "connectors[0].handshake[1]: a step sends something" in done.stderr
    (tmp_path / "connectors" / "a.toml").write_text(connector + wrong.rpartition("[[")[0])
    assert "connectors[0].handshake[0].expect: " in run("check", "--config", str(tmp_path)).stderr


def test_check_prints_the_call_budget_and_the_gigabytes() -> None:
    """Calls a minute, an hour, a month against what is allowed; what a limit stretches; what a day stores."""
    done = run("check", "--config", str(shipped_config()))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert any("binance_24hr" in line and "259,200" in line for line in lines)
    assert any(line.startswith("binance ") and "534 weight/minute" in line and "6,000" in line for line in lines)
    assert any("coingecko" in line and "stretched" in line for line in lines)
    assert any("GB a day" in line for line in lines)
    assert "\x1b[" not in done.stdout


def test_check_says_how_an_assumed_figure_is_replaced(tmp_path: Path) -> None:
    """Only where one is assumed."""
    (tmp_path / "connectors").mkdir()
    connector = '[[connectors]]\nconnector_id = "one"\nurl = "http://127.0.0.1/"\n'
    for more, told in (("", True), ("expected_response_bytes = 10\nexpected_items = 1\n", False)):
        (tmp_path / "connectors" / "a.toml").write_text(connector + more)
        assert ("(assumed): give" in run("check", "--config", str(tmp_path)).stdout) is told


@pytest.mark.parametrize("place", ["127.0.0.1:port/etl", "127.0.0.1:99999/etl", "127.0.0.1:1/etl?sslmode=nonsense"])
def test_a_database_that_can_never_be_reached_fails_with_one_sentence(tmp_path: Path, place: str) -> None:
    """Exit code 1 at once, and the password is not in it. One that only does not answer yet is waited for."""
    done = run(
        "serve", "--config", str(shipped_config()), "--port", "0",
        DATABASE_URL=f"postgresql://etl:canary-password@{place}", ETL_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr
    assert "canary-password" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_none_is_bad_usage(tmp_path: Path) -> None:
    """Exit code 2, without repeating what may hold a password."""
    done = run(
        "serve", "--config", str(shipped_config()), "--port", "0",
        DATABASE_URL="not an address canary-password", ETL_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
    assert "canary-password" not in done.stderr
