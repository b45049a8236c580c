"""Content encodings: everything honest arrives, everything hostile stays small and short."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import PollFailed
from etl_actors.sources.inflate import STEP_BYTES, inflater_for

from .providers import ask, provider, response, saying

MEGABYTE = 1_000_000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


ENCODERS = {
    "": lambda body: body,
    "identity": lambda body: body,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "DEFLATE": raw_deflate,
}


@given(
    body=st.binary(max_size=5000), coding=st.sampled_from(sorted(ENCODERS)), cut=st.integers(min_value=1, max_value=50)
)
def test_what_was_encoded_comes_out(body: bytes, coding: str, cut: int) -> None:
    """Any body in any coding we take, whatever pieces the wire cuts it into."""
    wire = ENCODERS[coding](body)
    inflater = inflater_for(coding)
    pieces = [piece for at in range(0, len(wire), cut) for piece in inflater.feed(wire[at : at + cut])]
    inflater.finish()
    assert b"".join(pieces) == body


@given(
    members=st.lists(st.binary(max_size=300), min_size=1, max_size=5), padding=st.integers(0, 3), cut=st.integers(1, 40)
)
def test_gzip_of_several_members_comes_out_joined(members: list[bytes], padding: int, cut: int) -> None:
    """Members one after another, with zeros between them, are one body."""
    wire = b"".join(gzip.compress(member) + b"\0" * padding for member in members)
    inflater = inflater_for("gzip")
    pieces = [piece for at in range(0, len(wire), cut) for piece in inflater.feed(wire[at : at + cut])]
    inflater.finish()
    assert b"".join(pieces) == b"".join(members)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "DEFLATE"])
def test_encoded_answer_without_its_end_is_refused(coding: str) -> None:
    """The wire ended in good order, the compressed stream did not."""
    inflater = inflater_for(coding)
    list(inflater.feed(ENCODERS[coding](b"some words" * 100)[:-1]))
    if coding == "gzip":
        with pytest.raises(PollFailed, match="ends before its end"):
            inflater.finish()
        return
    inflater = inflater_for(coding)
    list(inflater.feed(ENCODERS[coding](b"some words" * 100)[:5]))
    with pytest.raises(PollFailed, match="ends before its end"):
        inflater.finish()


def test_every_step_is_small() -> None:
    """A piece is never larger than a step, however well it was compressed."""
    pieces = list(inflater_for("gzip").feed(gzip.compress(b"\0" * 10 * MEGABYTE)))
    assert sum(map(len, pieces)) == 10 * MEGABYTE
    assert max(map(len, pieces)) == STEP_BYTES


@pytest.mark.parametrize(("coding", "wrap"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
async def test_bomb_is_refused_early_in_small_slices(coding: str, wrap: int) -> None:
    """300 MB in 300 kB: refused at the bound, the loop never held for 50 ms, memory about twice the bound at most."""
    packer = zlib.compressobj(9, wbits=wrap)
    bomb = b"".join(packer.compress(b"\0" * MEGABYTE) for _ in range(300)) + packer.flush()
    held: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await trio.lowlevel.checkpoint()
            held.append(time.perf_counter() - before)

    async with provider(saying(response(bomb, f"Content-Encoding: {coding}"))) as url, trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.sleep(0.05)
        held.clear()
        tracemalloc.start()
        try:
            with pytest.raises(PollFailed, match=r"^the answer is larger than 16,777,216 bytes$"):
                await ask(url, max_bytes=16_777_216)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        nursery.cancel_scope.cancel()
    assert peak < 40 * MEGABYTE
    assert sorted(held)[-2] < 0.05  # one slice in a whole run may be the machine's own pause


async def test_thousands_of_empty_members_do_not_hold_the_loop() -> None:
    """Members that hold nothing cost work without output; others run between them."""
    async with provider(saying(response(gzip.compress(b"") * 20_000, "Content-Encoding: gzip"))) as url:
        answer = await ask(url)
    assert answer.body == b""


async def test_each_coding_arrives_over_the_wire() -> None:
    """The same body in each coding, by way of a socket."""
    body = b'{"price": "95120.10"}' * 1000
    for coding, encode in ENCODERS.items():
        async with provider(saying(response(encode(body), f"Content-Encoding: {coding}"))) as url:
            assert (await ask(url)).body == body


async def test_large_body_arrives_whole() -> None:
    """Some megabytes take the way through the worker thread."""
    body = bytes(range(256)) * 40_000
    async with provider(saying(response(gzip.compress(body, 1), "Content-Encoding: gzip"))) as url:
        assert (await ask(url, max_bytes=20 * MEGABYTE)).body == body
