"""Says in one sentence what went wrong on the wire; the only place that knows how httpx and the system say it.

The sentences go to status pages and logs, so they name the host and never a path, a query or a header: keys travel in
those. What a library's error quotes of our own request is not repeated either.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import zlib
from collections.abc import Iterator

import httpx

from .progress import Phase, Progress
from .wording import one_line

# What the wall translates. A group comes from dialling several addresses at once.
FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, zlib.error, UnicodeError, ExceptionGroup)

# h11 shows the bytes it does not understand; a provider may have repeated our own request in them.
_QUOTED = re.compile(r":?\s*(?:bytearray\()?\bb?['\"].*", re.DOTALL)
# How h11 and httpcore begin when the other side went away in the middle.
_GONE = ("peer closed", "Server disconnected")


def is_foreign(error: BaseException) -> bool:
    """Whether all of a group is trouble of the wire; a mistake of ours among it is not to be explained away."""
    return not isinstance(error, ExceptionGroup) or error.split(FOREIGN[:-1])[1] is None


def sentence_for(error: BaseException, progress: Progress, deadline_seconds: float) -> str:
    """What happened, for a person."""
    if isinstance(error, httpx.TimeoutException):
        return late(progress, deadline_seconds)
    if isinstance(error, zlib.error) or any(isinstance(one, zlib.error) for one in _leaves(error)):
        return "the compressed answer is damaged"
    if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL | UnicodeError):
        return "the request cannot be sent: its url or one of its headers holds characters that HTTP does not allow"
    if isinstance(error, httpx.UnsupportedProtocol):
        return "the request cannot be sent: its url does not begin with http:// or https://"
    if isinstance(error, httpx.ProxyError):
        return f"the proxy did not connect to {progress.host}: {one_line(str(error), 120)}"
    return _broken(error, progress)


def late(progress: Progress, deadline_seconds: float) -> str:
    """The deadline passed; what was being waited for."""
    within = f"within {deadline_seconds:g} s"
    match progress.phase:
        case Phase.QUEUED:
            return f"no connection was free {within}"
        case Phase.CONNECTING:
            return f"could not connect to {progress.host} {within}"
        case Phase.SECURING:
            return f"{progress.host} did not complete the TLS handshake {within}"
        case Phase.SENDING:
            return f"{progress.host} did not take the request {within}"
        case Phase.WAITING:
            return f"no answer {within}"
        case _:
            return f"the answer was not complete {within}: {progress.received_of()} came"


def _broken(error: BaseException, progress: Progress) -> str:
    tls = next((one for one in _leaves(error) if isinstance(one, ssl.SSLError)), None)
    if tls is not None:
        return _tls(tls, progress.host)
    reason = _system_reason(error)
    if progress.phase in {Phase.QUEUED, Phase.CONNECTING, Phase.SECURING}:
        return f"could not connect to {progress.host}" + (f": {reason}" if reason else "")
    said = str(error)
    gone = not isinstance(error, httpx.RemoteProtocolError) or said.startswith(_GONE)
    if progress.phase is Phase.READING and gone:
        return f"the answer broke off after {progress.received_of()}" + (f": {reason}" if reason else "")
    if gone:
        return f"{progress.host} closed the connection without an answer" + (f": {reason}" if reason else "")
    if said == "Receive buffer too long":
        return "the answer is not valid HTTP: its headers are too long"
    return f"the answer is not valid HTTP: {one_line(_QUOTED.sub('', said), 120)}"


def _tls(error: ssl.SSLError, host: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the TLS certificate of {host} is not accepted: {one_line(error.verify_message, 120)}"
    reason = (error.reason or "the connection was closed").replace("_", " ").lower()
    return f"no TLS connection with {host}: {reason}"


def _system_reason(error: BaseException) -> str:
    """What the operating system says, each different reason once."""
    reasons: dict[str, None] = {}
    for one in _leaves(error):
        if isinstance(one, socket.gaierror):
            reasons["its name cannot be resolved"] = None
        elif isinstance(one, OSError) and one.errno:
            reasons[os.strerror(one.errno).lower()] = None
    return ", ".join(reasons)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors at the bottom of a chain of causes, looking into groups."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        beneath = [*(one.exceptions if isinstance(one, BaseExceptionGroup) else ())]
        beneath += [cause for cause in (one.__cause__ or one.__context__,) if cause is not None]
        waiting += beneath
        yield one
