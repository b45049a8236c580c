"""What a REST caller may have fetched, judged by the text of the url alone."""

from __future__ import annotations

import pytest

from etl_actors.sources.public_addresses import why_not_public
from etl_actors.sources.targets import target_mistake

HOSTILE = [
    # loopback, in every spelling that some resolver understands
    "http://127.0.0.1/",
    "http://127.0.0.1:8000/api",
    "http://127.0.0.1./",
    "http://127.8.9.10/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0x7F.0x0.0x0.0x1/",
    "http://127\u30020\u30020\u30021/",  # ideographic full stops, which IDNA takes for dots
    "http://\u2460\u2461\u2466.0.0.1/",  # digits in circles
    "http://\uff11\uff12\uff17.0.0.1/",  # digits of full width
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%20/",
    "http://127.0.0.1%00.example.org/",
    "http://localhost/",
    "http://LOCALHOST:8000/",
    "http://localhost./",
    "http://anything.localhost/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    # tricks with the rest of the url
    "http://good.com@127.0.0.1/",
    "http://good.com:80@127.0.0.1:80/",
    "http://good.com\\@127.0.0.1/",
    "http://127.0.0.1:80#@good.com/",
    "http://127.0.0.1?@good.com/",
    "http://1.1.1.1 &@127.0.0.1# @8.8.8.8/",
    # unspecified
    "http://0/",
    "http://0.0.0.0/",
    "http://[::]/",
    # private, shared, link-local
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://3232235777/",
    "http://100.64.0.1/",
    "http://169.254.1.1/",
    "http://[fc00::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[2606:4700::1111%25eth0]/",
    "http://[fec0::1]/",
    # metadata of clouds
    "http://169.254.169.254/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    # documentation, benchmarks, multicast, reserved
    "http://192.0.2.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://198.18.0.1/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://224.0.0.1/",
    "http://[ff02::1]/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://192.88.99.1/",
    "http://[4000::1]/",
    # IPv4 inside IPv6
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    # no web at all
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "javascript:alert(1)",
    "unix:/run/docker.sock",
    "ws://example.org/",
    "//example.org/",
    "/relative",
    "http:127.0.0.1",
    "http:///path",
    "http://:80/",
    "",
    "http://",
    "http://.",
    "http://a..b/",
    "http://a b/",
    "http://1.2.3.256/",
    "http://example.123/",
    "http://" + "a" * 64 + ".org/",
    "http://" + "a." * 130 + "org/",
    "http://[::1",
    "http://[zz::1]/",
    "http://example.org:0/",
    "http://example.org:22/",
    "http://example.org:25/",
    "http://example.org:65536/",
    "http://example.org:-1/",
    "http://example.org:8a/",
    "http://example.org/\r\nHost: 127.0.0.1",
]

PUBLIC = [
    "https://api.binance.com/api/v3/ticker/24hr?symbol=BTCUSDT",
    "http://example.org:8080/",
    "HTTPS://EXAMPLE.ORG./",
    "https://user:password@example.org/",
    "https://bücher.example/",
    "https://a_b.example.org/",
    "https://127.0.0.1.nip.io/",  # a name; where it leads is found out when it is resolved
    "https://localhost.example.org/",
    "https://8.8.8.8/",
    "https://134744072/",
    "https://[2606:4700:4700::1111]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[64:ff9b::808:808]/",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_target_is_refused_by_its_text(url: str) -> None:
    """Addresses that are not public in any spelling, names of this machine, other schemes, broken urls."""
    mistake = target_mistake(url)
    assert mistake is not None
    assert "\n" not in mistake
    assert len(mistake) < 300


@pytest.mark.parametrize("url", PUBLIC)
def test_public_target_is_not_refused(url: str) -> None:
    """Names, and public addresses in any spelling."""
    assert target_mistake(url) is None


def test_the_sentence_names_the_kind_and_the_setting() -> None:
    """So that the person who is refused knows what to do."""
    assert target_mistake("http://2130706433/") == (
        "2130706433 is a loopback address; connectors and extracts of a REST caller reach public addresses only"
        " (allow_private_targets under [security] in service.toml of the config folder)"
    )


def test_other_schemes_can_be_asked_for() -> None:
    """Sockets begin otherwise."""
    assert target_mistake("wss://stream.binance.com:9443/ws", schemes=("ws", "wss")) is None
    assert target_mistake("ws://127.0.0.1/", schemes=("ws", "wss")) is not None


def test_an_address_that_is_allowed_passes_in_any_spelling() -> None:
    """What is allowed is the address, not its text; its neighbours stay refused."""
    assert target_mistake("http://2130706433/", allowed={"127.0.0.1"}.__contains__) is None
    assert target_mistake("http://127.0.0.2/", allowed={"127.0.0.1"}.__contains__) is not None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("9.255.255.255", True),
        ("11.0.0.0", True),
        ("100.63.255.255", True),
        ("100.127.255.255", False),
        ("100.128.0.0", True),
        ("172.15.255.255", True),
        ("172.32.0.0", True),
        ("191.255.255.255", True),
        ("198.17.255.255", True),
        ("198.20.0.0", True),
        ("223.255.255.255", True),
        ("1fff:ffff::", False),
        ("2001:200::", True),
        ("2001:1ff::", False),
        ("2003::", True),
        ("3fff:fff::1", False),
        ("3fff:1000::", True),
        ("64:ff9a::808:808", False),
    ],
)
def test_networks_end_where_they_end(address: str, public: bool) -> None:
    """The first address beyond each network, and the last within."""
    assert (why_not_public(address) is None) is public
