"""The first tables."""

from alembic import op

from tests.sample.tables import METADATA

revision = "s0001"
down_revision = None


def upgrade() -> None:
    """Makes all tables."""
    METADATA.create_all(op.get_bind())
