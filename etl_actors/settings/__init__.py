"""Every knob, typed, with its unit and its default, decoded strictly from TOML.

``service.py`` is the service, ``connector.py`` a connector. ``files.py`` reads a folder of both, with ``decoding.py``,
``interpolation.py`` (the environment) and ``mistakes.py``. ``secret.py`` keeps what must not be seen.
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
from .secret import Secret
from .service import ServiceSettings

__all__ = [
    "ApiKeyAuth",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "Configuration",
    "ConnectorSettings",
    "HmacAuth",
    "ItemMapping",
    "LimitSettings",
    "NoAuth",
    "OAuth2Auth",
    "Secret",
    "ServiceSettings",
    "SymbolSettings",
    "read_configuration",
]
