"""Versions of persons, assignments, requests and workers in the schema `live`.

A later shape of the projections needs no migration of rows: it is made by `banyan replay insight`."""

from typing import Any

from alembic import op

from banyan.runtime.events import schemas
from services.insight.tables import METADATA

revision = "i0001"
down_revision = None


def upgrade() -> None:
    """Forward only."""
    connection: Any = op.get_bind().connection.driver_connection
    schemas.make_live(connection, METADATA)
