"""Binance's error body: a negative code and a sentence."""

from __future__ import annotations

import json


class Refused(Exception):
    """A request Binance answers with status 400 and this code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.body = json.dumps({"code": code, "msg": message}, separators=(",", ":"), ensure_ascii=False)
