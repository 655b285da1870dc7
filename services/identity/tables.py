"""identity's tables: what the rules say, said again by the schema."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, MetaData, UniqueConstraint, text

from banyan.runtime.commands.tables import aggregate_table, kept
from services.identity.domain.account import Account
from services.identity.domain.partner import Partner
from services.identity.domain.reference import ReferenceChange
from services.identity.domain.session import Session
from services.identity.domain.signing_key import SigningKey

METADATA = MetaData()

ACCOUNT = aggregate_table(
    METADATA,
    Account,
    kept("state"),
    kept("person_id"),
    kept("login_index", "logins.0.subject.i.0"),
    UniqueConstraint("login_index", name="account_exists"),
    CheckConstraint("state in ('open', 'locked', 'closed')", name="account_state"),
    Index("account_person", "person_id"),
    Index("account_logins", text("(body->'logins') jsonb_path_ops"), postgresql_using="gin"),
    Index("account_grants", text("(body->'grants') jsonb_path_ops"), postgresql_using="gin"),
)

SESSION = aggregate_table(
    METADATA,
    Session,
    kept("state"),
    kept("account_id"),
    kept("at", as_="instant"),
    CheckConstraint("state in ('open', 'refused', 'ended', 'revoked')", name="session_state"),
    CheckConstraint("state = 'refused' or account_id is not null", name="session_account"),
    Index("session_account_at", "account_id", "at"),
)

SIGNING_KEY = aggregate_table(METADATA, SigningKey, kept("state"), kept("use"))

REFERENCE_CHANGE = aggregate_table(
    METADATA,
    ReferenceChange,
    kept("number", as_="int"),
    kept("what"),
    kept("known_from", as_="date"),
    kept("known_until", as_="date"),
    UniqueConstraint("number", name="reference_raced"),
    Index("reference_change_what", "what", "number"),
)

PARTNER = aggregate_table(
    METADATA,
    Partner,
    kept("state"),
    kept("account_id"),
    kept("name"),
    CheckConstraint("state in ('agreed', 'ended')", name="partner_state"),
    Index("partner_agreed", "account_id", unique=True, postgresql_where=text("state = 'agreed'")),
    Index("partner_name", "name"),
)
