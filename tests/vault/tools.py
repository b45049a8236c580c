"""What the tests of the vault share."""

from __future__ import annotations

import traceback

from etl_actors.vault import Vault
from etl_actors.vault.hidden import Hidden

RAW = bytes(range(100, 132))
PASSPHRASE = "canary-passphrase-of-a-house"
SECRET = "canary-secret-of-a-connector"


def vault(first: int = 1) -> Vault:
    """A vault with a key of its own for each ``first``."""
    return Vault(Hidden(bytes([first]) * 32))


def everything_said(error: BaseException) -> str:
    """All that an error gives away: its chain (suppressed or not), its attributes, and its traceback."""
    said = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None:
            continue
        said += [str(one), repr(one), repr(one.args), repr(vars(one)), *traceback.format_exception(one)]
        if isinstance(one, UnicodeError):
            said.append(repr(getattr(one, "object", "")))
        todo += [one.__cause__, one.__context__]
    return "\n".join(said)


def locals_of_the_vault(error: BaseException) -> str:
    """What a traceback that prints local variables shows of the vault's own frames.

    Without the environment: it is the caller's, who has it in a frame of their own.
    """
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [frame.locals or {} for frame in frames if "etl_actors" in frame.filename]
    assert ours, "no frame of the vault is left to look at"
    return repr([{name: text for name, text in one.items() if name != "environment"} for one in ours])
