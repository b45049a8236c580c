"""Which failures to connect are for good, whatever one waits for: a wrong password, a database that does not exist.

An error of a statement has a SQLSTATE; a connection that was refused has none, since libpq keeps nothing but its text.
So the text decides, and only what is known here counts as final: of anything else, also of what a server says in
another language, the service tells the reason and goes on waiting.
"""

from __future__ import annotations

import re

# What the server says, or a pooler in front of it.
_SAID = (
    "authentication failed",  # 28P01, and 28000 of peer, ident, GSSAPI, LDAP, certificates
    "no pg_hba.conf entry",  # 28000
    "pg_hba.conf rejects connection",
    "is not permitted to log in",
    r'FATAL: .*(role|database|user) "[^"]*" does not exist',  # 28000, 3D000
    "no such (database|user)",
    "permission denied for database",  # 42501
    "unsupported startup parameter",
    "unrecognized configuration parameter",
    "invalid command-line argument",
)
# What libpq says of the server, or of what it was given.
_FOUND = (
    "no password supplied",
    "server does not support SSL, but SSL was required",
    "certificate verify failed",
    "does not match host name",
)
_FINAL = re.compile("|".join((*_SAID, *_FOUND)))
# Refused before a server was asked: a port or a value that is none. Whatever was asked is named.
_UNASKED = re.compile(r"connection is bad: (?!connection to server )")


def never_works(reason: str) -> bool:
    """Whether a connection refused for ``reason``, in one line, will be refused again."""
    return _FINAL.search(reason) is not None or _UNASKED.search(reason) is not None
