"""What the duty board looks for: requests with a duty officer or a named person, and cases accepted but not begun."""

from alembic import op

revision = "m0003"
down_revision = "m0002"

INDEXES = """
create index request_with_duty on request (division)
    where body #>> '{holder,duty}' = 'duty_officer' and state in ('submitted', 'triaged', 'proposed', 'unmatched');
create index request_with_account on request (holder_account)
    where holder_account is not null and state not in ('followed_up', 'closed');
create index request_accepted on request (division) where state = 'accepted';
"""


def upgrade() -> None:
    """Forward only."""
    op.get_bind().exec_driver_sql(INDEXES)
