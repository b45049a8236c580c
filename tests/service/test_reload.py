"""The config folder is changed while the service runs: the difference is applied, or nothing is."""

from __future__ import annotations

import signal
from pathlib import Path

import trio
from psycopg.conninfo import conninfo_to_dict

from ..storage.relay import open_relay
from ..web.origin_server import serving
from .reloads import Folder, Origin, config, connector, polls, reloading, until_logged
from .running import running


async def test_only_what_changed_is_touched(folder: Path, database: str) -> None:
    """A new connector starts, a changed one is replaced, a removed one ends; the others are not even looked at."""
    origin, files = Origin(), Folder(folder / "config")
    with serving(origin) as provider:
        files.connectors("kept", connector("kept", provider.url))
        files.connectors("changing", connector("changing", provider.url), connector("leaving", provider.url))
        async with reloading(files, database) as service:
            before = await polls(service, "kept", 3)
            await polls(service, "leaving")
            changed = connector("changing", provider.url, 'headers = {X-New = "1"}')
            files.connectors("changing", changed, connector("coming", provider.url))
            entry = await until_logged(service, "config.reloaded")
            assert (entry["added"], entry["changed"], entry["removed"]) == (["coming"], ["changing"], ["leaving"])
            await polls(service, "coming")
            await polls(service, "changing")
            assert (await service.client.get("/api/connectors/leaving")).status_code == 404
            assert await polls(service, "kept", before) >= before
            actors = (await service.get("/api/status"))["actors"]
            assert {one["name"] for one in actors if one["name"].startswith("connector:")} == {
                "connector:kept",
                "connector:changing",
                "connector:coming",
            }
            told = await config(service)
            assert told["last_error"] is None
            assert told["needs_restart"] == []
            # Moved to another file it runs on, and callers are told where it is now.
            files.connectors("other", connector("coming", provider.url))
            files.connectors("changing", changed)
            entry = await until_logged(service, "config.reloaded", 2)
            refused = await service.client.delete("/api/connectors/coming")
            assert refused.status_code == 409
            assert "other.toml" in refused.json()["detail"]
            left = origin.asked["/leaving"]
            await polls(service, "kept", await polls(service, "kept") + 3)
            assert origin.asked["/leaving"] == left


async def test_a_bad_change_is_refused_whole_and_the_next_good_one_applied_whole(folder: Path, database: str) -> None:
    """Every mistake is told with file, key and reason, in the log and in the status; everything runs on."""
    origin, files = Origin(), Folder(folder / "config")
    with serving(origin) as provider:
        files.connectors("a", connector("a", provider.url))
        async with reloading(files, database) as service:
            loaded = (await config(service))["last_loaded_at"]
            files.connectors("b", connector("b", provider.url))
            await until_logged(service, "config.reloaded")
            # One file is sound and new, one is wrong in four ways, one is no TOML.
            files.connectors("c", connector("c", provider.url))
            wrong = connector("d", provider.url, 'limit = "none"', "colour = 1", items='coin_symbol = "s[["')
            bad = files.connectors("bad", connector("a", provider.url), wrong)
            files.connectors("half", "[[connectors]]\nconnector_id = ")
            status = await service.until(
                "/api/status", lambda one: len((one["config"]["last_error"] or {"mistakes": ()})["mistakes"]) == 5
            )
            mistakes = status["config"]["last_error"]["mistakes"]
            assert {(Path(one["file"]).name, one["path"]) for one in mistakes} == {
                ("bad.toml", "connectors[0].connector_id"),
                ("bad.toml", "connectors[1].colour"),
                ("bad.toml", "connectors[1].limit"),
                ("bad.toml", "connectors[1].items.coin_symbol"),
                ("half.toml", "(syntax)"),
            }
            logged = {(one["file"], one["key"], one["reason"]) for one in service.events("config.refused")}
            assert {(one["file"], one["path"], one["message"]) for one in mistakes} <= logged
            assert (await service.client.get("/api/connectors/c")).status_code == 404
            await polls(service, "a", await polls(service, "a") + 2)
            bad.unlink()
            files.connectors("half", "")
            await polls(service, "c")
            told = (await service.until("/api/status", lambda one: one["config"]["last_error"] is None))["config"]
            assert told["last_loaded_at"] > loaded


async def test_a_sighup_reads_everything_anew_and_secret_files_too(folder: Path, database: str) -> None:
    """A secret that was exchanged in its file is a change of those who send it, and of nobody else."""
    origin, files = Origin(), Folder(folder / "config")
    secret = folder / "secret"
    secret.write_text("first\n")
    with serving(origin) as provider:
        auth = 'auth = { type = "bearer", token = "${RELOAD_TOKEN}" }'
        files.connectors("a", connector("secretive", provider.url, auth), connector("open", provider.url))
        async with reloading(files, database, {"RELOAD_TOKEN_FILE": str(secret)}) as service:
            await polls(service, "secretive")
            assert origin.tokens["/secretive"] == "Bearer first"
            secret.write_text("second\n")
            service.process.send_signal(signal.SIGHUP)
            entry = await until_logged(service, "config.reloaded")
            assert entry["changed"] == ["secretive"]
            await polls(service, "secretive")
            assert origin.tokens["/secretive"] == "Bearer second"
            assert "second" not in service.log.read_text()
            # Many at once are one, and those while it stops are none.
            for _ in range(20):
                service.process.send_signal(signal.SIGHUP)
            await until_logged(service, "config.reloaded", 2)
            service.process.send_signal(signal.SIGTERM)
            for _ in range(20):
                if service.process.returncode is None:
                    service.process.send_signal(signal.SIGHUP)
                await trio.sleep(0.01)


async def test_settings_of_the_service_take_effect_or_are_told_to_wait(folder: Path, database: str) -> None:
    """Retention and the log's level change at once; what needs a restart is named until it is taken back."""
    files = Folder(folder / "config")
    async with reloading(files, database) as service:
        files.write("service.toml", "[retention]\nitems_days = 3\n[server]\nport = 9\n[logging]\ndebug = true\n")
        entry = await until_logged(service, "config.reloaded")
        assert sorted(entry["settings"]) == ["logging.debug", "retention.items_days"]
        assert (await until_logged(service, "config.needs_restart"))["setting"] == "server.port"
        assert (await config(service))["needs_restart"] == ["server.port"]
        files.write("service.toml", "[retention]\nitems_days = 3\n")
        await service.until("/api/status", lambda one: one["config"]["needs_restart"] == [])
        files.write("service.toml", "[database]\nmin_connections = 30\n")
        assert (await until_logged(service, "config.refused"))["key"] == "database.min_connections"


async def test_a_file_that_takes_the_id_of_a_connector_made_over_rest_is_refused(folder: Path, database: str) -> None:
    """The sentence names both; so is the end of a limit that one of these still names."""
    origin, files = Origin(), Folder(folder / "config")
    files.write("service.toml", "[security]\nallow_private_targets = true\n")
    with serving(origin) as provider:
        files.connectors("limits", "[limits.shared]\nrequests_per_minute = 6000\n")
        async with reloading(files, database) as service:
            made = {"id": "mine", "url": f"{provider.url}/mine", "interval_seconds": 0.1, "limit": "shared"}
            assert (await service.client.post("/api/connectors", json=made)).status_code == 201
            written = files.connectors("taking", connector("mine", provider.url))
            entry = await until_logged(service, "config.refused")
            assert entry["file"] == str(written)
            assert "'mine'" in entry["reason"]
            assert "REST" in entry["reason"]
            written.unlink()
            await service.until("/api/status", lambda one: one["config"]["last_error"] is None)
            files.connectors("limits", "")
            entry = await until_logged(service, "config.refused", 2)
            assert entry["key"] == "limits.shared"
            assert "'mine'" in entry["reason"]
            await polls(service, "mine")


async def test_a_limit_changes_under_its_connectors(folder: Path, database: str) -> None:
    """Nobody is restarted: who was stretched polls at its own pace again as soon as it may."""
    origin, files = Origin(), Folder(folder / "config")
    limit = "[limits.shared]\nrequests_per_minute = {}\n"
    with serving(origin) as provider:
        files.connectors("a", limit.format(1), connector("a", provider.url, 'limit = "shared"'))
        async with reloading(files, database) as service:
            await polls(service, "a", 1)
            status = await service.get("/api/connectors/a/status")
            assert status["effective_interval_seconds"] == 60
            files.connectors("a", limit.format(6000), connector("a", provider.url, 'limit = "shared"'))
            entry = await until_logged(service, "config.reloaded")
            assert entry["limits_put"] == ["shared"]
            assert "changed" not in entry
            assert await polls(service, "a", 5) >= 5
            files.connectors("a", connector("a", provider.url))
            entry = await until_logged(service, "config.reloaded", 2)
            assert (entry["changed"], entry["limits_removed"]) == (["a"], ["shared"])


async def test_symbol_tables_come_change_and_go(folder: Path, database: str) -> None:
    """Pairs are split as the newest table says, by connectors that were not touched."""
    origin, files = Origin(), Folder(folder / "config")
    pairs = '[symbols.src]\nurl = "{}/pairs"\neach = "@"\npair = "s"\nbase = "\'{}\'"\nquote = "\'Q\'"\n'
    with serving(origin) as provider:
        files.connectors("a", connector("a", provider.url, 'source_id = "src"', items='coin_symbol = "base_asset(s)"'))

        async def until_split(symbol: str | None) -> None:
            await service.until(
                "/api/data/items?limit=1", lambda one: one["items"] and one["items"][0]["coin_symbol"] == symbol
            )

        async with reloading(files, database) as service:
            await until_split(None)
            before = await polls(service, "a")
            files.connectors("symbols", pairs.format(provider.url, "A"))
            await until_split("A")
            files.connectors("symbols", pairs.format(provider.url, "B"))
            await until_split("B")
            assert list((await service.get("/api/status"))["symbols"]) == ["src"]
            files.connectors("symbols", "")
            await until_split(None)
            assert (await service.get("/api/status"))["symbols"] == {}
            assert await polls(service, "a") > before
            assert not [one for one in service.events("config.reloaded") if "changed" in one]


async def test_a_file_that_is_away_or_empty_for_a_moment_ends_nothing(folder: Path, database: str) -> None:
    """Whoever saves by emptying or by taking away first is waited for."""
    origin, files = Origin(), Folder(folder / "config")
    with serving(origin) as provider:
        place = files.connectors("a", connector("a", provider.url))
        async with reloading(files, database) as service:
            before = await polls(service, "a")
            text = place.read_text()
            for _ in range(3):
                place.unlink()
                service.process.send_signal(signal.SIGHUP)
                await trio.sleep(0.3)
                place.write_text("")
                await trio.sleep(0.3)
                place.write_text(text)
                await trio.sleep(0.3)
            await until_logged(service, "config.reloaded")
            assert not [one for one in service.events("config.reloaded") if "removed" in one or "changed" in one]
            assert await polls(service, "a") > before
            place.unlink()
            assert (await until_logged(service, "config.reloaded", 1 + len(service.events("config.reloaded"))))[
                "removed"
            ] == ["a"]


async def test_the_shipped_config_has_nothing_to_read(folder: Path, database: str) -> None:
    """SIGHUP says so, and harms nothing."""
    files = Folder(folder / "config")
    environment = {"DATABASE_URL": database}
    async with running(files.path, folder / "data", command=("demo",), environment=environment) as service:
        service.process.send_signal(signal.SIGHUP)
        await until_logged(service, "config.nothing_to_read")
        assert (await config(service))["folder"] is None
        assert await service.stop() == 0


async def test_while_the_database_is_away_a_change_that_needs_it_waits(folder: Path, database: str) -> None:
    """Everything is as it was, the status says why, and it is applied when the database is back."""
    origin, files = Origin(), Folder(folder / "config")
    parameters = conninfo_to_dict(database)
    with serving(origin) as provider:
        files.connectors("a", connector("a", provider.url))
        async with open_relay(database) as relay:
            url = f"postgresql://{parameters['user']}@127.0.0.1:{relay.port}/{parameters['dbname']}"
            async with reloading(files, url) as service:
                before = await polls(service, "a")
                relay.shut()
                files.connectors("b", connector("b", provider.url))
                await until_logged(service, "config.postponed")
                assert "database" in (await config(service))["last_error"]["reason"]
                assert await polls(service, "a", before + 2) > before
                relay.open()
                await polls(service, "b")
                await service.until("/api/status", lambda one: one["config"]["last_error"] is None)


async def test_a_connector_made_over_rest_gets_the_limit_it_waits_for(folder: Path, database: str) -> None:
    """It was in trouble since the start: no file declared its limit."""
    origin, files = Origin(), Folder(folder / "config")
    files.write("service.toml", "[security]\nallow_private_targets = true\n")
    limit = "[limits.shared]\nrequests_per_minute = 6000\n"
    with serving(origin) as provider:
        declared = files.connectors("limits", limit)
        async with reloading(files, database) as service:
            made = {"id": "mine", "url": f"{provider.url}/mine", "interval_seconds": 0.1, "limit": "shared"}
            assert (await service.client.post("/api/connectors", json=made)).status_code == 201
        declared.unlink()
        async with reloading(files, database) as service:
            assert "limits.shared" in (await service.get("/api/connectors/mine"))["trouble"]
            files.connectors("limits", limit)
            await polls(service, "mine")
            assert "trouble" not in await service.get("/api/connectors/mine")
