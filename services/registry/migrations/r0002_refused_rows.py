"""Until when the rows that an import refused are kept."""

from alembic import op

revision = "r0002"
down_revision = "r0001"

REFUSED_UNTIL = """
alter table import add column refused_until timestamptz
    generated always as (iso_instant(body #>> '{refused_until}')) stored;
create index import_refused on import (refused_until) where refused_until is not null;
"""


def upgrade() -> None:
    """Forward only."""
    op.get_bind().exec_driver_sql(REFUSED_UNTIL)
