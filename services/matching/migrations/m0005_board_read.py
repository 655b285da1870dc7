"""What the duty board reads of requests with a duty officer and of cases accepted, in their indexes."""

from alembic import op

revision = "m0005"
down_revision = "m0004"

INDEXES = """
drop index request_with_duty;
drop index request_accepted;
create index request_with_duty on request (division) include (id, urgency, field, confidentiality, due, due_at, taken_at)
    where body #>> '{holder,duty}' = 'duty_officer' and state in ('submitted', 'triaged', 'proposed', 'unmatched');
create index request_accepted on request (division)
    include (id, urgency, field, confidentiality, due, due_at, accepted_at) where state = 'accepted';
"""


def upgrade() -> None:
    """Forward only."""
    op.get_bind().exec_driver_sql(INDEXES)
