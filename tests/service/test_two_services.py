"""Two services on one database: whoever comes later reads the connectors, and what he leaves can be taken back."""

from __future__ import annotations

from pathlib import Path

from ..faults.counting import CONFIG, Counter
from ..sources.stream_server import serving
from .running import running


async def test_a_connector_that_another_service_took_says_so_and_can_be_taken_back(folder: Path, database: str) -> None:
    """It is stopped, with the reason; resumed, it reads again, and what it reads is stored."""
    counter, environment = Counter(a_second=20), {"DATABASE_URL": database}
    path = "/api/connectors/counted/status"
    async with serving(counter.visit) as provider:
        (folder / "config" / "connectors").mkdir(parents=True)
        (folder / "config" / "connectors" / "counted.toml").write_text(CONFIG.format(url=provider.url), "utf-8")
        async with running(folder / "config", folder / "first", environment=environment) as first:
            await first.until(path, lambda status: status["frames"] > 5)
            async with running(folder / "config", folder / "second", environment=environment) as second:
                await second.until(path, lambda status: status["frames"] > 5)
                lost = await first.until(path, lambda status: status["state"] == "stopped")
                assert "another service" in lost["last_error"]
                assert await second.stop() == 0
            answer = await first.client.post("/api/connectors/counted/resume")
            assert answer.status_code == 200
            await first.until(path, lambda status, before=lost["frames"]: status["frames"] > before + 5)
            status = await first.until(path, lambda status: status["state"] == "running")
            assert status["connected_since"] is not None
            total = (await first.get("/api/data/items/counted"))["total"]
            await first.until("/api/data/items/counted", lambda page: page["total"] > total)
            assert await first.stop() == 0
