"""``etl-actors check``: is this config sound, and what will it cost?"""

from __future__ import annotations

import os
from pathlib import Path

import click

from .serve import config_option

EXAMPLES = """
\b
Examples:
  etl-actors check
  etl-actors check --config /etc/etl-actors
"""


@click.command(epilog=EXAMPLES)
@config_option
def check(config: Path) -> None:
    """Validate a config folder without starting, and print its call budget. Exit code 0 when sound, 2 when not."""
    from ..budget import Budget, budget  # --help need not wait for all of it
    from ..compiling import read_sound_configuration
    from ..doors import keys_required
    from ..storage.address import check_address

    configuration = read_sound_configuration(config, os.environ)
    service = configuration.service
    check_address(service.database)
    if "*" in service.server.cors_origins and not keys_required(service, service.server.host):
        click.secho("[server] cors_origins: '*' counts only where keys are asked for; name the pages", fg="yellow")
    enabled = sum(one.enabled for one in configuration.connectors)
    click.secho(f"{config}: sound, {enabled} of {len(configuration.connectors)} connectors enabled", fg="green")
    found: Budget = budget(configuration)
    followed = [one.connector_id for one in configuration.connectors if one.enabled and one.kind == "websocket"]
    if followed:
        click.echo(f"followed over WebSocket, and not in the estimates: {', '.join(followed)}")
    if not found.connectors and not followed:
        click.secho(f"nothing is polled: no connector is enabled in {config / 'connectors'}/*.toml", fg="yellow")
    if not found.connectors:
        return
    click.echo()
    click.secho(
        f"{'connector':<26}{'wants':>9}{'gets':>9}{'calls/min':>11}{'calls/hour':>12}{'calls/month':>13}{'GB/day':>9}",
        bold=True,
    )
    for one in found.connectors:
        click.echo(
            f"{one.connector_id:<26}{_seconds(one.interval_seconds):>9}{one.effective_seconds:>7.4g} s"
            f"{one.calls('minute'):>11.4g}{one.calls('hour'):>12,.0f}{one.calls('month'):>13,.0f}"
            f"{one.gigabytes_a_day:>9.3f}{' (assumed)' if one.assumed else ''}"
        )
    if any(one.assumed for one in found.connectors):
        click.echo("(assumed): give the connector expected_response_bytes and expected_items for a figure of its own")
    if any(one.pagination is not None and one.enabled for one in configuration.connectors):
        click.echo("where a list comes in pages, one page a poll is counted")
    if found.limits:
        click.echo()
        click.secho(f"{'limit':<26}{'uses':>22}{'allowed':>16}{'share':>9}", bold=True)
    for limit in found.limits:
        share = limit.used / limit.allowed
        line = (
            f"{limit.limit:<26}{f'{limit.used:,.4g} {limit.unit}/{limit.per}':>22}{limit.allowed:>16,.0f}{share:>8.0%}"
        )
        over = limit.wanted > limit.allowed
        click.secho(
            line + (f"  wants {limit.wanted:,.4g}: intervals are stretched" if over else ""),
            fg="yellow" if over else None,
        )
    click.echo()
    click.echo(f"stored: {found.gigabytes_a_day:.2f} GB a day", nl=False)
    days = found.days_until_full
    if days is None:
        click.echo(", with no cap")
    else:
        click.echo(
            f"; [retention] max_bytes = {found.retention_bytes / 1e9:g} GB keeps the newest {days:.1f} days"
            if days < configuration.service.retention.items_days or not configuration.service.retention.items_days
            else f"; within [retention] max_bytes = {found.retention_bytes / 1e9:g} GB"
        )


def _seconds(interval: float) -> str:
    return f"{interval:g} s" if interval else "no pause"
