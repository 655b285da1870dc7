"""identity: who may do what, where and when; and the reference data (divisions, working days, figures, keys).

A log-in opens a session under a secret that the caller makes itself: the answer holds no secret, so it may be kept
under its idempotency key. `IssueToken` then answers the token; a client's refresh token is `<session_id>.<secret>`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar, Literal

import msgspec

from banyan.contracts.identity_shapes import (
    ROWS,
    AccountKind,
    AccountSeen,
    AccountsSeen,
    Competence,
    CompetenceSeen,
    Division12,
    DivisionsSeen,
    Document,
    DutiesSeen,
    Ended,
    FiguresSeen,
    KeySet,
    PartnerName,
    PartnersSeen,
    Password,
    Permitted,
    Reason,
    Secret,
    Subject,
    Token,
    Workday,
)
from banyan.kernel.divisions import Division
from banyan.kernel.message import ACCOUNT, ANYONE, SYSTEM, Command, Event, Query
from banyan.kernel.personal import personal
from banyan.kernel.policy import Figure

# Reference data, stream identity.reference; every row replaces the one of the same key, so copies upsert in order.


class LoadDivisions(Command, frozen=True, kw_only=True):
    """载入行政区划数据（已有的版本保持不变）。"""

    may: ClassVar = ("data_officer", SYSTEM)
    division: Division12
    book: str
    document: Document
    rows: Annotated[tuple[Division, ...], msgspec.Meta(min_length=1, max_length=ROWS)]


class ChangeDivision(Command, frozen=True, kw_only=True):
    """登记行政区划变更（合并、拆分、更名、改码、是否计数、归口）。"""

    may: ClassVar = ("data_officer", SYSTEM)
    division: Division12
    change: Literal["merge", "split", "rename", "recode", "countable", "reports_to"]
    effective_on: dt.date
    document: Document
    ended: Annotated[tuple[Ended, ...], msgspec.Meta(max_length=ROWS)] = ()
    rows: Annotated[tuple[Division, ...], msgspec.Meta(max_length=ROWS)] = ()


class SetFigures(Command, frozen=True, kw_only=True):
    """设定政策数据（按日期、区划）。"""

    may: ClassVar = ("data_officer", SYSTEM)
    division: Division12
    document: Document
    rows: Annotated[tuple[Figure, ...], msgspec.Meta(min_length=1, max_length=ROWS)]
    only_new: bool = False  # rows of a (name, division, since) that is known stay as they are: for seeds


class LoadWorkdays(Command, frozen=True, kw_only=True):
    """载入国务院放假与调休安排。"""

    may: ClassVar = ("data_officer", SYSTEM)
    division: Division12
    document: Document
    rows: Annotated[tuple[Workday, ...], msgspec.Meta(max_length=ROWS)]
    known_from: dt.date
    known_until: dt.date


class SetCompetence(Command, frozen=True, kw_only=True):
    """设定某项职责在某区划的主管单位。"""

    may: ClassVar = ("system_admin", SYSTEM)
    division: Division12
    duty: str
    authority: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    since: dt.date
    document: Document


class HandOverDuty(Command, frozen=True, kw_only=True):
    """将某项职责移交另一主管单位。"""

    may: ClassVar = ("system_admin", SYSTEM)
    division: Division12
    duty: str
    gives: str
    takes: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    on: dt.date
    document: Document


class PublishSigningKey(Command, frozen=True, kw_only=True):
    """公布一把签名公钥。"""

    may: ClassVar = ("security_admin", SYSTEM)
    division: Division12
    kid: Annotated[str, msgspec.Meta(min_length=8, max_length=64)]
    jwk: dict[str, str]
    alg: str
    use: Literal["token", "head"]
    from_at: dt.datetime | None = None  # default: now, real time
    until_at: dt.datetime | None = None


class RetireSigningKey(Command, frozen=True, kw_only=True):
    """停用一把签名公钥。"""

    may: ClassVar = ("security_admin", SYSTEM)
    key: str  # `<use>.<kid>`
    until_at: dt.datetime
    reason: Reason


class AgreePartner(Command, frozen=True, kw_only=True):
    """与订阅方约定可读取的事件流、事件类型与字段（未约定的只给位置与摘要，或字段的叶值）。"""

    may: ClassVar = ("security_admin", "data_officer", SYSTEM)
    division: Division12
    partner: str  # the account that holds the duty `partner`
    name: PartnerName
    streams: Permitted
    queue: bool = False
    since: dt.date | None = None  # default: today
    until: dt.date | None = None
    purpose: Reason
    legal_basis: Document


class EndPartner(Command, frozen=True, kw_only=True):
    """终止与订阅方的约定。"""

    may: ClassVar = ("security_admin", "data_officer", SYSTEM)
    agreement_id: str
    reason: Reason
    version: int | None = None


class DivisionsLoaded(Event, frozen=True, kw_only=True):
    """Rows by (code, from_on)."""

    stream: ClassVar = "identity.reference"
    book: str
    rows: tuple[Division, ...]
    document: str = ""
    effective_on: dt.date | None = None


class FiguresSet(Event, frozen=True, kw_only=True):
    """Rows by (name, division, since)."""

    stream: ClassVar = "identity.reference"
    rows: tuple[Figure, ...]
    document: str = ""


class WorkdaysLoaded(Event, frozen=True, kw_only=True):
    """Rows by day, within the days known; a holiday taken back comes as a row that agrees with the week."""

    stream: ClassVar = "identity.reference"
    rows: tuple[Workday, ...]
    known_from: dt.date
    known_until: dt.date


class CompetenceChanged(Event, frozen=True, kw_only=True):
    """Rows by (duty, division, since); `gave` is the authority before, where there was one."""

    stream: ClassVar = "identity.reference"
    competence: Competence
    gave: str | None = None
    document: str = ""


class SigningKeyPublished(Event, frozen=True, kw_only=True):
    """Rows by (use, kid), since one key may serve both; `until_at` None means in use, and a later event ends it."""

    stream: ClassVar = "identity.reference"
    kid: str
    jwk: dict[str, str]
    alg: str
    use: Literal["token", "head"]
    from_at: dt.datetime
    until_at: dt.datetime | None = None


class PartnerAgreed(Event, frozen=True, kw_only=True):
    """Rows by account: what it may read from `since` to `until`, both included; `ended_at` set: nothing any more.

    `streams` as `Permitted` says. A field that is not named goes to the partner as a leaf, an event of another type as position and
    digest."""

    stream: ClassVar = "identity.reference"
    partner: str
    name: str
    streams: Permitted
    queue: bool
    since: dt.date
    until: dt.date | None = None
    purpose: str
    legal_basis: str
    ended_at: dt.datetime | None = None


# Accounts and grants, stream identity.account.


class OpenAccount(Command, frozen=True, kw_only=True):
    """开立账户。"""

    may: ClassVar = ("system_admin", SYSTEM)
    division: Division12
    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    subject: Subject
    person_id: str | None = None
    kind: AccountKind = "person"
    authority: str | None = None


class LinkSubject(Command, frozen=True, kw_only=True):
    """为账户关联另一登录身份（如小程序）。"""

    may: ClassVar = ("system_admin", SYSTEM)
    account_id: str
    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    subject: Subject
    version: int | None = None


class LinkPerson(Command, frozen=True, kw_only=True):
    """将账户与登记的人员相关联。"""

    may: ClassVar = ("system_admin", SYSTEM)
    account_id: str
    person_id: str
    version: int | None = None


class SetPassword(Command, frozen=True, kw_only=True):
    """设定本地账户的口令。"""

    may: ClassVar = ("system_admin", SYSTEM)
    account_id: str
    password: Password
    nonce: Secret  # kept nowhere: no stored hash of this command can be used to guess the password


class SetClientSecret(Command, frozen=True, kw_only=True):
    """设定服务账户的密钥。"""

    may: ClassVar = ("security_admin", SYSTEM)
    account_id: str
    secret: Secret


class EnrolSecondFactor(Command, frozen=True, kw_only=True):
    """登记动态口令（TOTP）作为第二因素。"""

    may: ClassVar = ("system_admin", SYSTEM)
    account_id: str
    totp: Annotated[str, msgspec.Meta(pattern=r"^[A-Z2-7]{32,64}$"), personal("secret", "登录凭据", 0, sensitive=True)]


class LockAccount(Command, frozen=True, kw_only=True):
    """锁定账户，其令牌一并失效。"""

    may: ClassVar = ("security_admin", SYSTEM)
    account_id: str
    reason: Reason


class UnlockAccount(Command, frozen=True, kw_only=True):
    """解除账户锁定，并清除登录失败次数。"""

    may: ClassVar = ("security_admin", SYSTEM)
    account_id: str
    reason: Reason


class CloseAccount(Command, frozen=True, kw_only=True):
    """注销账户，收回全部授权。"""

    may: ClassVar = ("system_admin", SYSTEM)
    account_id: str
    reason: Reason


class GrantDuty(Command, frozen=True, kw_only=True):
    """授予职责（职责 × 区划 × 领域 × 期限）。"""

    may: ClassVar = ("security_admin", SYSTEM)
    account_id: str
    duty: str
    division: Division12
    fields: tuple[str, ...] = ("*",)
    since: dt.date | None = None
    until: dt.date | None = None
    reason: Reason


class RevokeGrant(Command, frozen=True, kw_only=True):
    """收回一项授权。"""

    may: ClassVar = ("security_admin", SYSTEM)
    account_id: str
    grant_id: str
    reason: Reason


class RevokeTokens(Command, frozen=True, kw_only=True):
    """使账户此前的全部令牌失效。"""

    may: ClassVar = ("security_admin", SYSTEM)
    account_id: str
    reason: Reason


class AccountOpened(Event, frozen=True, kw_only=True):
    """An account is there; its log-in subject is not told."""

    stream: ClassVar = "identity.account"
    account_id: str
    division: str
    person_id: str | None = None
    kind: AccountKind = "person"


class AccountLinked(Event, frozen=True, kw_only=True):
    """The account is that of a person, or has one more log-in subject."""

    stream: ClassVar = "identity.account"
    account_id: str
    person_id: str | None = None


class AccountChanged(Event, frozen=True, kw_only=True):
    """The account's state, or one of its means to log in: password, client secret, second factor."""

    stream: ClassVar = "identity.account"
    account_id: str
    state: Literal["open", "locked", "closed"]
    means: Literal["password", "client_secret", "second_factor"] | None = None


class DutyGranted(Event, frozen=True, kw_only=True):
    """A grant, from `since` to `until`, both included."""

    stream: ClassVar = "identity.account"
    account_id: str
    grant_id: str
    duty: str
    division: str
    fields: tuple[str, ...]
    since: dt.date | None = None
    until: dt.date | None = None


class GrantRevoked(Event, frozen=True, kw_only=True):
    """No token acts by this grant any more; `at` is real time."""

    stream: ClassVar = "identity.account"
    account_id: str
    grant_id: str
    at: dt.datetime


class TokensRevoked(Event, frozen=True, kw_only=True):
    """Tokens of the account issued at or before this second of real time are void."""

    stream: ClassVar = "identity.account"
    account_id: str
    before: dt.datetime


class SessionRevoked(Event, frozen=True, kw_only=True):
    """This session's tokens are void (log-out, or a refresh secret used twice); a token's jti is `<session_id>.<n>`."""

    stream: ClassVar = "identity.account"
    account_id: str
    session_id: str
    at: dt.datetime
    reused: bool = False


# Sessions. A failed attempt is recorded, so it is no refusal: the answer's state is `open` or `refused`.


class LogIn(Command, frozen=True, kw_only=True):
    """以本地账户登录，开始会话。"""

    may: ClassVar = (ANYONE,)
    lifeline: ClassVar = True
    username: Subject
    password: Annotated[str, msgspec.Meta(max_length=128), personal("secret", "登录凭据", 0, sensitive=True)]
    code: Annotated[str | None, personal("secret", "登录凭据", 0, sensitive=True)] = None
    secret: Secret


class LogInOidc(Command, frozen=True, kw_only=True):
    """以省统一身份认证（OIDC）登录，开始会话。"""

    may: ClassVar = (ANYONE,)
    lifeline: ClassVar = True
    id_token: Annotated[str, msgspec.Meta(max_length=8192), personal("secret", "登录凭据", 0, sensitive=True)]
    nonce: str
    secret: Secret


class ClientCredentials(Command, frozen=True, kw_only=True):
    """服务账户登录，开始会话。"""

    may: ClassVar = (ANYONE,)
    lifeline: ClassVar = True
    client_id: str
    client_secret: Annotated[str, msgspec.Meta(max_length=128), personal("secret", "登录凭据", 0, sensitive=True)]
    secret: Secret


class Refresh(Command, frozen=True, kw_only=True):
    """以刷新凭据延续会话；凭据每次更换，旧凭据再用即作废整个会话。"""

    may: ClassVar = (ANYONE,)
    lifeline: ClassVar = True
    session_id: str
    secret: Secret
    next_secret: Secret


class LogOut(Command, frozen=True, kw_only=True):
    """退出登录，结束会话。"""

    may: ClassVar = (ANYONE,)
    lifeline: ClassVar = True
    session_id: str
    secret: Secret


class IssueToken(Query, frozen=True, kw_only=True):
    """凭会话取得访问令牌（不超过十分钟有效）。"""

    may: ClassVar = (ANYONE,)
    answer: ClassVar = Token
    lifeline: ClassVar = True
    session_id: str
    secret: Secret


class Jwks(Query, frozen=True, kw_only=True):
    """取得验证令牌与数据流头部签名的公钥集。"""

    may: ClassVar = (ANYONE,)
    answer: ClassVar = KeySet


class WhoAmI(Query, frozen=True, kw_only=True):
    """查看本人账户与授权。"""

    may: ClassVar = (ACCOUNT,)
    answer: ClassVar = AccountSeen


class FindAccounts(Query, frozen=True, kw_only=True):
    """查找管辖范围内的账户。"""

    may: ClassVar = ("system_admin", "security_admin", "audit_admin")
    answer: ClassVar = AccountsSeen
    account_id: str | None = None
    person_id: str | None = None
    duty: str | None = None
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50


class FindDivisions(Query, frozen=True, kw_only=True):
    """查询某日有效的行政区划：按代码（含承继）或上级列出。"""

    may: ClassVar = (ANYONE,)
    answer: ClassVar = DivisionsSeen
    on: dt.date | None = None
    code: Division12 | None = None
    parent: Division12 | None = None
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 500


class FindFigures(Query, frozen=True, kw_only=True):
    """查询政策数据及其出处。"""

    may: ClassVar = (ACCOUNT,)
    answer: ClassVar = FiguresSeen
    name: str | None = None


class FindCompetence(Query, frozen=True, kw_only=True):
    """查询某日某区划某项职责的主管单位。"""

    may: ClassVar = (ACCOUNT,)
    answer: ClassVar = CompetenceSeen
    duty: str
    division: Division12
    on: dt.date | None = None


class FindDuties(Query, frozen=True, kw_only=True):
    """查询全部职责。"""

    may: ClassVar = (ACCOUNT,)
    answer: ClassVar = DutiesSeen


class FindPartners(Query, frozen=True, kw_only=True):
    """查询与订阅方的约定（含已终止的）。"""

    may: ClassVar = ("security_admin", "data_officer", "audit_admin")
    answer: ClassVar = PartnersSeen
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
