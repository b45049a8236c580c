"""The composition root: opens storage, starts web, runs the pipeline, listens for signals; closes in reverse.

Everything is made and joined here and nowhere else; what a room needs from another is handed to it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio
from msgspec.structs import replace

from . import __version__
from .actors.broadcaster import Broadcaster
from .actors.connector import ConnectorActor
from .actors.janitor import Janitor
from .actors.loader import Loader
from .actors.surveyor import Surveyor
from .actors.transformer import Transformer
from .errors import EtlActorsError, ServiceFailed, UsageError
from .pipeline import Pipeline
from .progress import Progress
from .settings import Configuration, ConnectorSettings
from .sources.exchange import open_client
from .sources.pacing import Limit
from .sources.rest import RestSource
from .status import StatusBoard
from .storage.opening import Storage, open_storage
from .transforms.documents import decode_document, encode_json
from .transforms.mapping import Mapping as ItemMapping
from .transforms.symbols import SymbolTable, read_symbols, shipped_snapshot
from .web.app import create_app
from .web.listener import abort_connections, address_of, is_loopback, open_listener
from .web.server import serve_app
