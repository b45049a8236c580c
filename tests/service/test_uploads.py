"""Files through a running service: in, out, and what is left when something goes wrong."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import trio

from ..postgres import KeptServer
from .running import RunningService, running

LIMIT = 40_000_000
UPLOAD = "/api/data/upload"
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
# What a service without connectors may grow by while files of any size pass through it.
GROWTH_KB = 60_000


@asynccontextmanager
async def serving(folder: Path, database: str = "", extra: str = "") -> AsyncIterator[RunningService]:
    """A service without connectors; on a database of its own unless one is given."""
    config = folder / "config"
    (config / "connectors").mkdir(parents=True, exist_ok=True)
    (config / "service.toml").write_text(f"[server]\nmax_body_bytes = {LIMIT}\n{extra}", encoding="utf-8")
    environment = {"DATABASE_URL": database} if database else {}
    async with running(config, folder / "data", environment=environment) as service:
        yield service


async def upload(service: RunningService, content: bytes, name: str = "x.csv", **params: str) -> Any:
    """The answer to an upload that must succeed."""
    response = await service.client.post(UPLOAD, files={"file": (name, content)}, params=params)
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/api/files/{response.json()['id']}"
    return response.json()


def on_disk(folder: Path, which: str = "uploads") -> list[str]:
    """Every file there, hidden ones too."""
    return sorted(path.name for path in (folder / "data" / which).iterdir())


async def until_gone(folder: Path, *, seconds: float = 10) -> None:
    """Until nothing lies in the folder of uploads."""
    with trio.fail_after(seconds):
        while on_disk(folder):  # noqa: ASYNC110 - nobody tells us when another process removes a file
            await trio.sleep(0.05)


async def test_an_upload_is_kept_listed_and_read(folder: Path, database: str) -> None:
    """The file as it is, its good rows in order, its bad ones by line; pages, CSV and NDJSON; deleting takes all."""
    content = 'id,note\n007,"a\nb"\n8\n9,=1+1\n10,\xff\n'.encode("latin-1")
    async with serving(folder, database) as service:
        file = await upload(service, content, name="My Prices.csv")
        assert (file["filename"], file["file_type"], file["file_size"]) == ("My Prices.csv", "csv", len(content))
        assert (file["row_count"], file["encoding"], file["delimiter"]) == (2, "utf-8", ",")
        assert file["columns"] == ["id", "note"]
        assert file["bad_rows"]["count"] == 2
        assert [one["line"] for one in file["bad_rows"]["first"]] == [4, 6]
        assert (folder / "data" / file["path"]).read_bytes() == content
        assert await service.get(f"/api/files/{file['id']}") == file

        listed = await service.get("/api/files")
        assert (listed["total"], [one["id"] for one in listed["files"]], listed["next"]) == (1, [file["id"]], None)
        page = await service.get(f"/api/files/{file['id']}/data", limit=1)
        assert page["total"] == 2
        assert page["data"][0]["row_number"] == 1
        assert page["data"][0]["row_data"] == {"id": "007", "note": "a\nb"}
        behind = await service.get(page["next"])
        assert [row["row_data"] for row in behind["data"]] == [{"id": "9", "note": "=1+1"}]
        assert behind["next"] is None

        place = f"/api/files/{file['id']}/data"
        as_csv = await service.client.get(place, headers={"Accept": "text/csv"})
        assert as_csv.text == 'id,note\r\n007,"a\nb"\r\n9,\'=1+1\r\n'
        lines = await service.client.get(place, headers={"Accept": "application/x-ndjson"})
        assert [json.loads(line) for line in lines.text.splitlines()][1] == {"id": "9", "note": "=1+1"}

        assert (await service.client.delete(f"/api/files/{file['id']}")).status_code == 204
        assert (await service.client.get(place)).status_code == 404
        assert on_disk(folder) == []
        assert await service.stop() == 0


async def test_json_keeps_every_digit(folder: Path, database: str) -> None:
    """From the file to the answer, in arrays and lines; columns are the keys of all rows."""
    async with serving(folder, database) as service:
        array = await upload(service, b'[{"p":95000.50},\n{"q":{"x":[0.10]}}]', "x.json")
        lines = await upload(service, '{"p":1}\n{"p"\n{"ä":2}\n'.encode(), "x.ndjson")
        raw = (await service.client.get(f"/api/files/{array['id']}/data")).text
    assert (array["row_count"], array["columns"], array["delimiter"]) == (2, ["p", "q"], None)
    assert (lines["row_count"], lines["columns"], lines["file_type"]) == (2, ["p", "ä"], "ndjson")
    assert lines["bad_rows"]["first"][0]["line"] == 2
    assert "95000.50" in raw
    assert "0.10" in raw


async def test_hostile_names_stay_in_the_folder(folder: Path, database: str) -> None:
    """Whatever a name holds: the original is kept as text, the file lies under a plain one, none replaces another."""
    names = [
        "../../evil.csv",
        "/etc/passwd",
        "C:\\x\\y.csv",
        "x" * 3_000 + ".csv",
        "价格.csv",
        "same.csv",
        "same.csv",
        "..",
    ]
    async with serving(folder, database) as service:
        files = [await upload(service, b"a,b\n1,2\n", name) for name in names]
        body = PART.replace(b"x.csv", b"nul\0.csv") + b"a,b\n1,2\n\r\n--b--\r\n"
        nul = await service.client.post(UPLOAD, content=body, headers=MULTIPART)
        assert nul.status_code == 201
    assert [file["filename"] for file in files] == names
    assert len(on_disk(folder)) == len(names) + 1
    outside = {path.name for path in (folder / "data").iterdir()}
    assert not {name for name in outside if "evil" in name or "passwd" in name}


async def test_encodings_and_delimiters_can_be_said(folder: Path, database: str) -> None:
    """In the query, in a field behind the file, or as the charset of the part."""
    latin = "a~b\nä~1\n".encode("latin-1")
    async with serving(folder, database) as service:
        for request in (
            {"files": {"file": ("x", latin)}, "params": {"encoding": "latin-1", "delimiter": "~"}},
            {"files": {"file": ("x", latin)}, "data": {"encoding": "latin-1", "delimiter": "~"}},
            {"files": {"file": ("x", latin, "text/csv; charset=iso-8859-1")}, "params": {"delimiter": "~"}},
            {"files": {"file": ("x", "a~b\nä~1\n".encode("utf-16"))}, "params": {"delimiter": "~"}},
        ):
            response = await service.client.post(UPLOAD, **request)  # type: ignore[arg-type]  # keywords of httpx
            assert response.status_code == 201, response.text
            page = await service.get(f"/api/files/{response.json()['id']}/data")
            assert page["data"][0]["row_data"] == {"a": "ä", "b": "1"}


@pytest.mark.parametrize("must_be", ["csv", "json"])
async def test_processing_cleans_and_types(folder: Path, database: str, must_be: str) -> None:
    """Raw or multipart: clean names, types, counts, a preview; the result is on disk, listed and read like any file."""
    content = {
        "csv": b'Price (USD),Zip,Day,\n95000.50,007,2024-01-05,x\n1,\n,8,,=y\n',
        "json": b'[{"Price (USD)":95000.50,"Zip":"007","Day":"2024-01-05","":"x"},7,{"Zip":"8","":"=y"}]',
    }[must_be]  # fmt: skip
    async with serving(folder, database) as service:
        raw = await service.client.post(f"/api/process/{must_be}", content=content)
        part = await service.client.post(
            f"/api/process/{must_be}?format=csv", files={"file": (f"x.{must_be}", content)}
        )
        assert (raw.status_code, part.status_code) == (200, 200), (raw.text, part.text)
        answer = raw.json()
        assert (answer["rows"], answer["bad_rows"]["count"], answer["format"]) == (2, 1, "ndjson")
        assert [(one["name"], one["type"], one["nulls"]) for one in answer["columns"]] == [
            ("price_usd", "number", 1), ("zip", "string", 0), ("day", "date", 1), ("column_4", "string", 0),
        ]  # fmt: skip
        assert answer["columns"][0]["original"] == "Price (USD)"
        assert '"price_usd":95000.50' in raw.text
        lines = (folder / "data" / "processed" / answer["filename"]).read_text().splitlines()
        assert [json.loads(line) for line in lines] == answer["preview"]
        assert [row["row_data"] for row in (await service.get(f"/api/files/{answer['id']}/data"))["data"]] == answer[
            "preview"
        ]
        result = (folder / "data" / part.json()["path"]).read_text()
        assert result == "price_usd,zip,day,column_4\n95000.50,007,2024-01-05,x\n,8,,'=y\n"
        assert [one["kind"] for one in (await service.get("/api/files"))["files"]] == ["processed"] * 2
    assert on_disk(folder) == []


async def test_what_is_wrong_is_told_and_leaves_nothing(folder: Path, database: str) -> None:
    """Each mistake gets its status and a problem document that names the place."""

    def file(content: bytes, name: str = "x.csv", **more: Any) -> dict[str, Any]:
        return {"files": {"file": (name, content)}} | more

    mistakes: list[tuple[int, str, dict[str, Any]]] = [
        (415, UPLOAD, {"json": {}}),
        (415, UPLOAD, {"content": b""}),
        (415, UPLOAD, file(b"a,b\n1,2\n", headers={"Content-Encoding": "gzip"})),
        (422, UPLOAD, file(b"PK\x03\x04" + b"\n" * 50, "x.xlsx")),
        (400, UPLOAD, {"content": b"xx", "headers": MULTIPART}),
        (400, UPLOAD, {"content": PART + b"a,b\n1,2\n", "headers": MULTIPART}),
        (400, UPLOAD, {"content": b"--b\r\nContent-Disposition: \xff\r\n\r\nx\r\n--b--\r\n", "headers": MULTIPART}),
        (400, UPLOAD, {"content": b"--b\r\nX: y\r\n\r\nx\r\n--b--\r\n", "headers": MULTIPART}),
        (400, UPLOAD, {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}),
        (422, UPLOAD, {"files": {"other": ("x.csv", b"a,b\n")}}),
        (422, UPLOAD, {"content": b"--b--\r\n", "headers": MULTIPART}),
        (422, UPLOAD, {"files": [("file", ("x.csv", b"a\n")), ("file", ("y.csv", b"a\n"))]}),
        (422, UPLOAD, file(b"")),
        *((400, "/api/process/csv", {"content": json}) for json in (b'[{"a": 1}]', b'{"a":1}\n{"a":2}\n', b"[1, 2]")),
        (400, "/api/process/csv", file(b'[\n  {"a": 1,\n  "b": [' + b"1," * 70_000)),
        (400, "/api/process/json", {"content": b"a,b\n1,2\n"}),
        (422, UPLOAD, file(b"a,b\n1\n2\n")),
        (422, UPLOAD, file(b"a,b\n", params={"encoding": "zip"})),
        (422, UPLOAD, file(b"a,b\n", params={"delimiter": "ab"})),
        (413, UPLOAD, file(b"a,b\n", data={"encoding": "x" * 5_000})),
        (400, UPLOAD, file(b"nope", "x.json")),
        (422, UPLOAD, file(b"[1, 2]", "x.json")),
        (422, "/api/process/csv", {"content": b""}),
        (422, "/api/process/csv?format=xml", {"content": b"a,b\n"}),
        (400, "/api/process/json", {"content": b"{"}),
        (415, "/api/process/csv", {"content": b"a,b\n1,2\n", "headers": {"Content-Type": "image/png"}}),
        (415, "/api/process/csv", {"content": b"a,b\n1,2\n", "headers": {"Content-Type": "application/json"}}),
        (415, "/api/process/csv", {"files": {"file": ("x.csv", b"a,b\n1,2\n", "application/x-ndjson")}}),
        (415, "/api/process/json", {"content": b"[{}]", "headers": {"Content-Type": "text/csv; charset=utf-8"}}),
        (405, UPLOAD, {}),
        (413, UPLOAD, file(b"a,b\n" + b"1,2\n" * (LIMIT // 4))),
        (413, "/api/process/csv", {"content": pieces(LIMIT + 1)}),
        (413, UPLOAD, {"content": pieces(LIMIT + 1, PART), "headers": MULTIPART}),
    ]
    async with serving(folder, database) as service:
        for status, path, request in mistakes:
            response = await service.client.request("POST" if request else "GET", path, **request)
            assert response.status_code == status, (path, str(request)[:100], response.text)
            assert response.headers["Content-Type"] == "application/problem+json"
            assert response.json()["detail"]
            if status == 422 and request.get("files") and b"a,b\n1\n" in str(request).encode():
                assert response.json()["errors"][0]["path"] == "line 2"
        for place in ("99999999999", "0", "-1", "x", "9" * 400, "1/data", "99999999999/data"):
            assert (await service.client.get(f"/api/files/{place}")).status_code == 404
        for query in ("limit=0", "limit=10001", "offset=-1", "after=x", "after=1.2.3"):
            assert (await service.client.get(f"/api/files?{query}")).status_code == 422
        assert (await service.get("/api/files"))["total"] == 0
        assert not service.events("web.request_failed")
    assert on_disk(folder) == on_disk(folder, "processed") == []


async def test_a_large_upload_keeps_memory_flat_and_readers_served(folder: Path, database: str) -> None:
    """Thirty megabytes each, several at once: the service grows by little, and answers others meanwhile."""
    row = b'1234567,2025-12-08T16:00:00Z,BTCUSDT,95000.50,"a note, quoted",some more text\n'
    count = 30_000_000 // len(row)
    content = b"id,at,pair,price,note,more\n" + row * count
    async with serving(folder, database) as service:
        await upload(service, b"a,b\n1,2\n")
        before = resident_kb(service, "VmRSS")
        async with trio.open_nursery() as nursery:
            done = trio.Event()

            async def three_uploads() -> None:
                async with (
                    httpx.AsyncClient(base_url=service.address, timeout=120) as client,
                    trio.open_nursery() as each,
                ):
                    for _ in range(3):
                        each.start_soon(one_upload, client)
                done.set()

            async def one_upload(client: httpx.AsyncClient) -> None:
                response = await client.post(UPLOAD, files={"file": ("x.csv", content)})
                assert response.status_code == 201, response.text
                assert response.json()["row_count"] == count

            nursery.start_soon(three_uploads)
            while not done.is_set():
                await service.get("/api/files")
                await service.get("/api/status")
                await trio.sleep(0.2)
        assert resident_kb(service, "VmHWM") - before < GROWTH_KB
        processed = await service.client.post("/api/process/csv", content=content, timeout=120)
        assert processed.json()["rows"] == count
        assert resident_kb(service, "VmHWM") - before < GROWTH_KB


def resident_kb(service: RunningService, name: str) -> int:
    """Memory of the service's process, in kilobytes."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0])


async def pieces(size: int, start: bytes = b"") -> AsyncIterator[bytes]:
    """A body whose length nobody declares."""
    yield start
    for _ in range(0, size, 100_000):
        yield b"a,b\n" * 25_000


async def test_a_client_that_breaks_off_leaves_nothing(folder: Path, database: str) -> None:
    """While it sends, and while its file is read: no file, no row."""
    async with serving(folder, database) as service:
        port = int(service.address.rpartition(":")[2])
        head = b"POST /api/data/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(head + b"Content-Length: 9000000\r\n\r\n" + PART + b"a,b\n" * 500_000)
        await until_some(folder)
        await stream.aclose()
        await until_gone(folder)

        content = PART + b"a,b\n" * 8_000_000 + b"\r\n--b--\r\n"
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        await until_rows(database)
        await stream.aclose()
        await until_gone(folder)
        assert (await service.get("/api/files"))["total"] == 0
        assert await service.stop() == 0


async def test_killed_in_the_middle_nothing_half_is_left(folder: Path, database: str) -> None:
    """No half of its rows, and the next start removes what lay on the disk; what was answered is all there."""
    async with serving(folder, database) as service:
        kept = await upload(service, b"a,b\n1,2\n")
        async with trio.open_nursery() as nursery:

            async def never_answered() -> None:
                with pytest.raises(httpx.TransportError):
                    await service.client.post(UPLOAD, files={"file": ("x.csv", b"a,b\n" * 8_000_000)})

            nursery.start_soon(never_answered)
            await until_rows(database)
            assert await service.stop(signal.SIGKILL) != 0
        assert len(on_disk(folder)) == 2
    async with serving(folder, database) as service:
        with trio.fail_after(10):
            while len(on_disk(folder)) > 1:  # noqa: ASYNC110 - see until_gone
                await trio.sleep(0.05)
        assert f"uploads/{on_disk(folder)[0]}" == kept["path"]
        assert [one["id"] for one in (await service.get("/api/files"))["files"]] == [kept["id"]]
        with psycopg.connect(database) as connection:
            assert connection.execute("SELECT count(*) FROM file_data").fetchone() == (1,)


async def test_without_the_database_an_upload_is_refused(folder: Path, postgres: KeptServer, database: str) -> None:
    """503 with Retry-After, and nothing on the disk; when it is back, uploads work again."""
    async with serving(folder, database) as service:
        await upload(service, b"a,b\n1,2\n")
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        with psycopg.connect(postgres.conninfo, autocommit=True) as boss:
            boss.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            boss.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            for path in (UPLOAD, "/api/process/csv"):
                response = await service.client.post(path, files={"file": ("x.csv", b"a,b\n" * 1_000_000)})
                assert response.status_code == 503, response.text
                assert response.headers["Content-Type"] == "application/problem+json"
                assert int(response.headers["Retry-After"]) > 0
            assert len(on_disk(folder)) == 1
            assert on_disk(folder, "processed") == []
            boss.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await upload(service, b"a,b\n1,2\n")


async def test_old_files_go_by_themselves(folder: Path, database: str) -> None:
    """With ``files_days``, the row, its data and the file on disk."""
    async with serving(folder, database, extra="[retention]\nfiles_days = 1\n") as service:
        old = await upload(service, b"a,b\n1,2\n")
        young = await upload(service, b"a,b\n1,2\n")
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE files SET uploaded_at = now() - interval '2 days' WHERE id = %s", (old["id"],))
        assert await service.stop() == 0
    async with serving(folder, database, extra="[retention]\nfiles_days = 1\n") as service:
        await service.until("/api/files", lambda listed: listed["total"] == 1)
        assert [f"uploads/{name}" for name in on_disk(folder)] == [young["path"]]


async def until_some(folder: Path, *, seconds: float = 10) -> None:
    """Until something lies in the folder of uploads."""
    with trio.fail_after(seconds):
        while not on_disk(folder):  # noqa: ASYNC110 - see until_gone
            await trio.sleep(0.02)


async def until_rows(database: str, *, seconds: float = 20) -> None:
    """Until a COPY of rows is under way, which its own transaction alone can see the rows of."""
    with trio.fail_after(seconds), psycopg.connect(database, autocommit=True) as connection:
        while not connection.execute(  # noqa: ASYNC110 - see until_gone
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY file_data%'"
        ).fetchone():
            await trio.sleep(0.02)


async def test_many_small_uploads_at_once_all_succeed(folder: Path, database: str) -> None:
    """Those that are too many at once wait for their turn."""
    async with serving(folder, database) as service, trio.open_nursery() as nursery:

        async def one(number: int) -> None:
            async with httpx.AsyncClient(base_url=service.address, timeout=60) as client:
                response = await client.post(UPLOAD, files={"file": ("same.csv", b"a,b\n" + b"1,2\n" * number)})
                assert response.status_code == 201, response.text
                assert response.json()["row_count"] == number

        for number in range(50):
            nursery.start_soon(one, number)
    assert len(on_disk(folder)) == 50
