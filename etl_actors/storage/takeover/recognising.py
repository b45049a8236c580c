"""Whose database is it? Pure: what the catalogue says goes in; what to set aside, or one clear sentence, comes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...errors import UsageError
from .catalogue import Table, set_aside_name
from .targets import TARGETS, Target

_ELSEWHERE = "give this service a database of its own (or a schema: ?options=-csearch_path%3DNAME behind the address)"
_OUR_DIARY = {"version": "integer", "name": "text", "applied_at": "timestamptz"}


def check_diary(diary: Table | None) -> None:
    """``diary`` is the table ``schema_migrations``, if there is one. Raises :class:`UsageError` if it is not ours."""
    if diary is not None and not (diary.plain and _OUR_DIARY.items() <= diary.columns.items()):
        raise UsageError(f"the table schema_migrations of this database belongs to another program: {_ELSEWHERE}")


def recognise(tables: Mapping[str, Table], ours: Collection[str]) -> list[Target]:
    """The tables of the original that have to be set aside, in a database that we have not migrated yet.

    ``tables``: its relations by name; ``ours``: the names that our migrations are going to make. Nothing to set aside
    in an empty database. Raises :class:`UsageError` when something stands in the way that is not the original's.
    """
    present = [target for target in TARGETS if target.table in tables]
    core = [target for target in present if target.core]
    for target in core or present:
        lacking = target.lacks(tables[target.table])
        if lacking or not core:
            raise UsageError(
                f"the database has a table {target.table} that is neither this service's nor the original's"
                f" ({lacking or 'there is no api_connector_data beside it'}): {_ELSEWHERE}"
            )
    aside = {target.table for target in present}
    in_the_way = sorted(name for name in ours if name in tables and name not in aside)
    in_the_way += [set_aside_name(name) for name in sorted(aside) if set_aside_name(name) in tables]
    if in_the_way:
        raise UsageError(
            f"the database has {_listed(in_the_way)}, whose name this service needs: rename what is there,"
            f" or {_ELSEWHERE}"
        )
    return present


def _listed(names: list[str]) -> str:
    return f"a table {names[0]}" if len(names) == 1 else f"tables {', '.join(names)}"
