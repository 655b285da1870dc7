"""When a case was accepted, kept beside its record: the duty board had unpacked every accepted record for it."""

from alembic import op

revision = "m0004"
down_revision = "m0003"

ACCEPTED_AT = """
alter table request add column accepted_at timestamptz
    generated always as (iso_instant(body #>> '{accepted_at}')) stored;
"""


def upgrade() -> None:
    """Forward only; writes the table anew."""
    op.get_bind().exec_driver_sql(ACCEPTED_AT)
