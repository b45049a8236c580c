"""Every knob, typed, with its unit and its default, decoded strictly from TOML.

``service.py`` is the service, ``connector.py`` a connector, ``files.py`` reads a folder of both, ``interpolation.py``
the environment, ``secret.py`` keeps what must not be seen.
"""

from .connector import (
    ApiKeyAuth,
    Auth,
    ConnectorSettings,
    ItemMapping,
    LimitSettings,
    NoAuth,
    SymbolSettings,
)
from .files import Configuration, read_configuration
from .secret import Secret
from .service import ServiceSettings

__all__ = [
    "ApiKeyAuth",
    "Auth",
    "Configuration",
    "ConnectorSettings",
    "ItemMapping",
    "LimitSettings",
    "NoAuth",
    "Secret",
    "ServiceSettings",
    "SymbolSettings",
    "read_configuration",
]
