"""Every knob, typed, with its unit and its default, decoded strictly from TOML.

``service.py`` is the service, ``connector.py`` a connector, ``paging.py`` its pages and its cursor, ``streams.py`` how
it follows a stream, ``sequence.py`` how that numbers its frames. ``files.py`` reads a folder of both, with
``decoding.py``, ``interpolation.py`` (the environment) and ``mistakes.py``. ``secret.py`` keeps what must not be seen.
"""

from .connector import (
    ApiKeyAuth,
    Auth,
    BasicAuth,
    BearerAuth,
    ConnectorSettings,
    HmacAuth,
    ItemMapping,
    LimitSettings,
    NoAuth,
    OAuth2Auth,
    SymbolSettings,
)
from .files import Configuration, read_configuration
from .paging import Cursor, LinkedPages, NumberedPages, OffsetPages, Pages, TokenPages
from .secret import Secret
from .sequence import Sequence, Snapshot
from .service import ServiceSettings
from .streams import HandshakeStep, Heartbeat

__all__ = [
    "ApiKeyAuth",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "Configuration",
    "ConnectorSettings",
    "Cursor",
    "HandshakeStep",
    "Heartbeat",
    "HmacAuth",
    "ItemMapping",
    "LimitSettings",
    "LinkedPages",
    "NoAuth",
    "NumberedPages",
    "OAuth2Auth",
    "OffsetPages",
    "Pages",
    "Secret",
    "Sequence",
    "ServiceSettings",
    "Snapshot",
    "SymbolSettings",
    "TokenPages",
    "read_configuration",
]
