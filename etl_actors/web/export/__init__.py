"""Items as files: CSV, NDJSON or Parquet by ``Accept``, however many there are, in constant memory.

``kinds.py`` reads what the client accepts; ``download.py`` is the answer; ``spreadsheet.py``, ``lines.py`` and
``parquet.py`` each make one kind of file of slices of rows.
"""

from .download import export_response
from .kinds import CSV, JSON, NDJSON, PARQUET, accepted_kind

__all__ = ["CSV", "JSON", "NDJSON", "PARQUET", "accepted_kind", "export_response"]
