"""Matching 供需对接: what one may order, ask and hear about requests, households, workers on call and duty rosters.

Divisions are 12-digit codes, points integer micro-degrees, instants UTC. Of a protected request an event names the
county only and neither client, functions nor place. Shapes that messages share stand in `matching_shapes`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar

import msgspec

from banyan.contracts import matching_shapes as shapes
from banyan.kernel.message import ACCOUNT, SYSTEM, Command, Event, Query
from banyan.kernel.personal import personal

LEAD, DUTY, WORKER, RESIDENT, GATEWAY = "station_lead", "duty_officer", "worker", "resident", "service_account"
OFFICERS = (LEAD, DUTY)
TAKERS = (RESIDENT, GATEWAY, *OFFICERS)

Best = Annotated[int, msgspec.Meta(ge=1, le=500)]
"""How many workers are recommended."""
Name = Annotated[str, personal("name", "联系服务对象", 1095)]
Story = Annotated[str, personal("need", "了解服务需求", 1095, sensitive=True)]
Address = Annotated[str, personal("address", "上门服务", 1095)]
Contacts = Annotated[tuple[shapes.Contact, ...], personal("contacts", "联系服务对象", 1095)]


# --- requests: taking and triage --------------------------------------------------------------------------------------
class TakeRequest(Command, frozen=True, kw_only=True):
    """提出服务需求：本人、家庭，或他人代为提出。无需身份证件，没有电话也可以。"""

    may: ClassVar = TAKERS
    lifeline: ClassVar = True
    division: str
    purpose: str
    legal_basis: str
    notice_version: str
    client_group: str
    field: str
    functions: tuple[str, ...]
    urgency: int = 1
    client_id: str | None = None
    household_id: str | None = None
    asked_by: str = "self"
    consent: str | None = None
    separate_consent: bool = False
    client_name: Name | None = None
    contacts: Contacts = ()
    story: Story | None = None
    address: Address | None = None
    point: shapes.Point | None = None
    languages: tuple[str, ...] = ()
    languages_wished: tuple[str, ...] = ()
    sex_wanted: str | None = None
    level_wanted: str | None = None
    slots: tuple[int, ...] = ()
    earlier_worker: str | None = None
    excluded_workers: tuple[str, ...] = ()
    confidentiality: str = "ordinary"
    protected_kind: str | None = None
    receivers: tuple[str, ...] = ()
    minor: bool = False
    guardian: shapes.Guardian | None = None
    report_to: str | None = None


class TriageRequest(Command, frozen=True, kw_only=True):
    """预估：核定紧急程度、领域、功能与保密等级。"""

    may: ClassVar = OFFICERS
    lifeline: ClassVar = True
    request_id: str
    urgency: int
    field: str
    functions: tuple[str, ...]
    confidentiality: str = "ordinary"
    protected_kind: str | None = None
    receivers: tuple[str, ...] = ()
    report_to: str | None = None
    note: Story | None = None
    version: int | None = None


class FileReport(Command, frozen=True, kw_only=True):
    """登记强制报告的回执。"""

    may: ClassVar = OFFICERS
    request_id: str
    receipt: str


# --- requests: who goes -----------------------------------------------------------------------------------------------
class ProposeWorkers(Command, frozen=True, kw_only=True):
    """为一项需求推荐前若干名社工，并逐项说明分数。"""

    may: ClassVar = (*OFFICERS, SYSTEM)
    request_id: str
    k: Best | None = None


class ConfirmDispatch(Command, frozen=True, kw_only=True):
    """站长确认派单：可指定推荐名单中的一名，不指定则为第一名。"""

    may: ClassVar = OFFICERS
    request_id: str
    worker_id: str
    version: int | None = None


class DispatchNext(Command, frozen=True, kw_only=True):
    """派给推荐名单中下一名仍合适的社工；没有则转值班人员。"""

    may: ClassVar = (*OFFICERS, SYSTEM)
    request_id: str


class OverrideDispatch(Command, frozen=True, kw_only=True):
    """人工改派：派给推荐名单以外或次序靠后的社工，须写明理由，计入统计。"""

    may: ClassVar = OFFICERS
    request_id: str
    worker_id: str
    reason: str
    version: int | None = None


class AssignCrisis(Command, frozen=True, kw_only=True):
    """危机已由值班人员接手并与社工当面或电话说定：直接登记由其到场。"""

    may: ClassVar = OFFICERS
    lifeline: ClassVar = True
    request_id: str
    worker_id: str
    reason: str


class ConfirmDelivery(Command, frozen=True, kw_only=True):
    """登记派单通知已送达；接单时限自此起算。"""

    may: ClassVar = (SYSTEM,)
    request_id: str
    worker_id: str
    receipt: str


class FailDelivery(Command, frozen=True, kw_only=True):
    """通知未能送达：换下一渠道，渠道用尽则请值班人员转告。"""

    may: ClassVar = (SYSTEM,)
    request_id: str
    certain: bool = False


class AcceptOffer(Command, frozen=True, kw_only=True):
    """接单。"""

    may: ClassVar = (WORKER,)
    lifeline: ClassVar = True
    request_id: str


class DeclineOffer(Command, frozen=True, kw_only=True):
    """退单，须写明理由。"""

    may: ClassVar = (WORKER,)
    request_id: str
    reason: str


class ExpireOffer(Command, frozen=True, kw_only=True):
    """派单逾时未答复，转下一名。"""

    may: ClassVar = (SYSTEM,)
    request_id: str


class RecallOffer(Command, frozen=True, kw_only=True):
    """撤回尚未答复的派单，须写明理由；之后可另派他人。"""

    may: ClassVar = OFFICERS
    request_id: str
    reason: str


class ReleaseWorker(Command, frozen=True, kw_only=True):
    """社工不能继续服务：需求回到待派，重新推荐。"""

    may: ClassVar = (*OFFICERS, SYSTEM)
    request_id: str
    reason: str


# --- requests: service and endings ------------------------------------------------------------------------------------
class StartService(Command, frozen=True, kw_only=True):
    """开始服务（介入），登记开始时的评估分。"""

    may: ClassVar = (WORKER, *OFFICERS)
    request_id: str
    outcome: tuple[shapes.Measure, ...]


class CompleteService(Command, frozen=True, kw_only=True):
    """结束服务（结案评估），登记结案时的评估分。"""

    may: ClassVar = (WORKER, *OFFICERS)
    request_id: str
    outcome: tuple[shapes.Measure, ...]
    minutes_served: int


class FollowUp(Command, frozen=True, kw_only=True):
    """跟进回访，登记情况；仍需服务的可重新匹配。"""

    may: ClassVar = (WORKER, *OFFICERS)
    request_id: str
    well: bool
    note: Story | None = None


class WithdrawRequest(Command, frozen=True, kw_only=True):
    """撤回服务需求。"""

    may: ClassVar = TAKERS
    lifeline: ClassVar = True
    request_id: str
    reason: str


class ReferRequest(Command, frozen=True, kw_only=True):
    """转介其他单位，须有接收单位与回执。"""

    may: ClassVar = OFFICERS
    lifeline: ClassVar = True
    request_id: str
    to: str
    receipt: str
    reason: str


class CloseRequest(Command, frozen=True, kw_only=True):
    """以失联、不属范围、迁离、死亡、咨询之一结束，须写明理由。"""

    may: ClassVar = OFFICERS
    lifeline: ClassVar = True
    request_id: str
    ending: str
    reason: str


class LinkDuplicate(Command, frozen=True, kw_only=True):
    """并案：与另一需求是同一件事。"""

    may: ClassVar = OFFICERS
    request_id: str
    same_as: str
    reason: str


# --- requests: crisis, holders, break-glass ---------------------------------------------------------------------------
class AcknowledgeCrisis(Command, frozen=True, kw_only=True):
    """值班人员确认接手危机个案。"""

    may: ClassVar = OFFICERS
    lifeline: ClassVar = True
    request_id: str


class ClimbCrisis(Command, frozen=True, kw_only=True):
    """无人确认：呼叫上一级的两名值班人员。"""

    may: ClassVar = (SYSTEM,)
    lifeline: ClassVar = True
    request_id: str


class ClimbRequest(Command, frozen=True, kw_only=True):
    """到期未办：持有人上移一级并提醒。"""

    may: ClassVar = (SYSTEM,)
    request_id: str


class HandOver(Command, frozen=True, kw_only=True):
    """职责划转或人员变动：把个案交给另一职责、辖区或账户。"""

    may: ClassVar = (*OFFICERS, SYSTEM)
    request_id: str
    division: str
    duty: str = DUTY
    account: str | None = None
    reason: str


class BreakGlass(Command, frozen=True, kw_only=True):
    """紧急调阅：为保护生命安全而查看未获授权的个案，须写明理由，事后必查。"""

    may: ClassVar = OFFICERS
    lifeline: ClassVar = True
    request_id: str
    reason: str


class NoteClient(Command, frozen=True, kw_only=True):
    """记下一名服务对象已并档、拆档或注销；其各项需求随后逐一处理。"""

    may: ClassVar = (SYSTEM,)
    person_id: str
    division: str
    alias_of: str | None = None
    erased: bool = False


class AliasClient(Command, frozen=True, kw_only=True):
    """服务对象并档：以后以保留的编号为准。"""

    may: ClassVar = (SYSTEM,)
    request_id: str
    client_id: str


class EraseClient(Command, frozen=True, kw_only=True):
    """服务对象信息注销：清除可识别内容，保留编号与统计。未在人员登记建档的服务对象，依其请求写明理由办理，其名下各项需求一并注销；
    已建档的在人员登记中注销，此处自动随办。"""

    may: ClassVar = ("privacy_officer", SYSTEM)
    request_id: str
    reason: str = ""


# --- households, rosters, workers -------------------------------------------------------------------------------------
class RegisterHousehold(Command, frozen=True, kw_only=True):
    """登记家庭：成员的事实仍归各人。"""

    may: ClassVar = (GATEWAY, *OFFICERS)
    division: str
    head_id: str
    legal_basis: str
    notice_version: str
    member_ids: tuple[str, ...] = ()
    address: Address | None = None
    point: shapes.Point | None = None


class ChangeHousehold(Command, frozen=True, kw_only=True):
    """变更家庭成员或住址。"""

    may: ClassVar = (GATEWAY, *OFFICERS)
    household_id: str
    division: str
    head_id: str
    member_ids: tuple[str, ...]
    address: Address | None = None
    point: shapes.Point | None = None
    version: int | None = None


class ForgetMember(Command, frozen=True, kw_only=True):
    """成员信息已注销：从家庭中移出；住址以其密钥加密的，一并清除。"""

    may: ClassVar = (SYSTEM,)
    household_id: str
    person_id: str


class OpenRoster(Command, frozen=True, kw_only=True):
    """设立一个辖区的值班表。"""

    may: ClassVar = OFFICERS
    division: str
    turns: tuple[shapes.Turn, ...]


class SetRoster(Command, frozen=True, kw_only=True):
    """重排一个辖区的值班表。"""

    may: ClassVar = OFFICERS
    roster_id: str
    turns: tuple[shapes.Turn, ...]
    version: int | None = None


class KeepWorker(Command, frozen=True, kw_only=True):
    """登记或更新一名可派社工（来自登记服务的服务岗位）。"""

    may: ClassVar = (SYSTEM,)
    worker_id: str
    division: str
    supply: shapes.Supply


class SuspendWorker(Command, frozen=True, kw_only=True):
    """暂停派单（注册失效或暂停）；已接的个案仍在，未答复的派单转下一名。"""

    may: ClassVar = (SYSTEM,)
    worker_id: str
    division: str
    reason: str


class EndWorker(Command, frozen=True, kw_only=True):
    """服务岗位结束，不再派单；手上的个案重新推荐。"""

    may: ClassVar = (SYSTEM,)
    worker_id: str
    division: str
    reason: str


# --- questions --------------------------------------------------------------------------------------------------------
class RankWorkers(Query, frozen=True, kw_only=True):
    """推荐名单：逐项说明每名社工的得分。"""

    may: ClassVar = OFFICERS
    answer: ClassVar = shapes.Ranking
    request_id: str
    k: Best = 10


class WhyNot(Query, frozen=True, kw_only=True):
    """某名社工为何未被推荐。"""

    may: ClassVar = OFFICERS
    answer: ClassVar = shapes.Reasons
    request_id: str
    worker_id: str


class RequestDetail(Query, frozen=True, kw_only=True):
    """一项需求的详情；个人信息按职责与状态开放，查看即留痕。"""

    may: ClassVar = (ACCOUNT,)
    answer: ClassVar = shapes.RequestView
    request_id: str


class Requests(Query, frozen=True, kw_only=True):
    """需求列表；受保护个案只给出“另有 n 件未显示”，且只计入县级及以上。"""

    may: ClassVar = OFFICERS
    answer: ClassVar = shapes.RequestPage
    states: tuple[str, ...] = ()
    division: str | None = None
    urgency: int | None = None
    after: str | None = None
    limit: int = 50


class MyOffers(Query, frozen=True, kw_only=True):
    """待我答复的派单：看得到需要什么，看不到是谁。"""

    may: ClassVar = (WORKER,)
    answer: ClassVar = shapes.Offers


class MyWork(Query, frozen=True, kw_only=True):
    """我已接单的个案。"""

    may: ClassVar = (WORKER,)
    answer: ClassVar = shapes.Work


class MyRequests(Query, frozen=True, kw_only=True):
    """我提出的服务需求及进度。"""

    may: ClassVar = (RESIDENT,)
    answer: ClassVar = shapes.RequestPage


class CrisisBoard(Query, frozen=True, kw_only=True):
    """危机看板：谁被呼叫、谁已确认、下一次上移的时刻；受保护个案只给出件数，且只计入县级及以上。"""

    may: ClassVar = OFFICERS
    answer: ClassVar = shapes.Crises


class DutyBoard(Query, frozen=True, kw_only=True):
    """值班看板：此刻需要有人处理的事，最急的在前，以及各级今日值班人员与下一次换班；受保护个案只给出件数，且只计入县级及以上。"""

    may: ClassVar = OFFICERS
    answer: ClassVar = shapes.Board
    division: str | None = None
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50


class Endings(Query, frozen=True, kw_only=True):
    """各种结束方式的件数；受保护个案只计入县级及以上。"""

    may: ClassVar = OFFICERS
    answer: ClassVar = shapes.EndingCounts
    division: str | None = None


class MyCopy(Query, frozen=True, kw_only=True):
    """本人在供需对接中的全部信息副本。"""

    may: ClassVar = (ACCOUNT,)
    answer: ClassVar = shapes.Copy


# --- what happened ----------------------------------------------------------------------------------------------------
class OfRequest(Event, frozen=True, kw_only=True):
    """What every event of a request says: where (protected: the county), field and group, how urgent, and when."""

    abstract: ClassVar = True
    stream: ClassVar = "matching.request"
    request_id: str
    division: str
    field: str
    client_group: str
    urgency: int
    protected: bool
    at: datetime


class RequestTaken(OfRequest, frozen=True, kw_only=True):
    """A call for help was taken."""

    client_id: str | None
    asked_by: str
    functions: tuple[str, ...]


class RequestTriaged(OfRequest, frozen=True, kw_only=True):
    """An officer assessed it; the values are those after the assessment."""

    confidentiality: str
    functions: tuple[str, ...]
    direct: bool


class ReportFiled(OfRequest, frozen=True, kw_only=True):
    """The mandatory report has its receipt."""

    recipient: str


class WorkersProposed(OfRequest, frozen=True, kw_only=True):
    """Candidates were ranked and stored with every term."""

    worker_ids: tuple[str, ...]
    table: str
    direct: bool


class NobodyFound(OfRequest, frozen=True, kw_only=True):
    """No fitting worker is left; the duty officer holds it."""

    asked: int


class OfferMade(OfRequest, frozen=True, kw_only=True):
    """One worker was asked."""

    worker_id: str
    rank: int
    score: int


class OfferDelivered(OfRequest, frozen=True, kw_only=True):
    """The worker's notice arrived; the clock started."""

    worker_id: str
    expires_at: datetime


class DeliveryFailed(OfRequest, frozen=True, kw_only=True):
    """A channel did not reach the worker; `channel` is the next, or the duty person tells them."""

    worker_id: str
    channel: str


class OfferAccepted(OfRequest, frozen=True, kw_only=True):
    """The worker takes the case; `wait_min` whole minutes since it was taken."""

    worker_id: str
    wait_min: int
    declined_before: int


class OfferDeclined(OfRequest, frozen=True, kw_only=True):
    """The worker said no."""

    worker_id: str
    direct: bool


class OfferExpired(OfRequest, frozen=True, kw_only=True):
    """The worker did not answer in time, or can no longer be asked."""

    worker_id: str
    direct: bool


class DispatchOverridden(OfRequest, frozen=True, kw_only=True):
    """An officer chose another worker than the first proposed; the reason is on the record."""

    worker_id: str
    instead_of: str | None


class OfferRecalled(OfRequest, frozen=True, kw_only=True):
    """An officer took the offer back before an answer."""

    worker_id: str


class WorkerReleased(OfRequest, frozen=True, kw_only=True):
    """The worker leaves the case, which is open again."""

    worker_id: str


class ServiceStarted(OfRequest, frozen=True, kw_only=True):
    """Service began."""

    worker_id: str


class ServiceCompleted(OfRequest, frozen=True, kw_only=True):
    """Service ended; `change` is the sum of outcome points at close less those at start."""

    worker_id: str
    minutes_served: int
    change: int


class RequestFollowedUp(OfRequest, frozen=True, kw_only=True):
    """The client was asked how it went; not well opens the case again."""

    well: bool


class RequestClosed(OfRequest, frozen=True, kw_only=True):
    """It ended with a reason: a code of the table `ending`."""

    ending: str
    served: bool
    worker_id: str | None


class CrisisPaged(OfRequest, frozen=True, kw_only=True):
    """Duty persons of a tier were called."""

    tier: str
    people: int
    due_at: datetime


class CrisisAcknowledged(OfRequest, frozen=True, kw_only=True):
    """A duty person took the crisis; whole seconds since it was taken."""

    tier: str
    wait_s: int


class CrisisClimbed(OfRequest, frozen=True, kw_only=True):
    """Nobody acknowledged in time; the next tier is called."""

    from_tier: str
    to_tier: str
    rung: int


class HolderChanged(OfRequest, frozen=True, kw_only=True):
    """Somebody else answers for the case now."""

    holder: str
    holder_division: str


class GlassBroken(OfRequest, frozen=True, kw_only=True):
    """Somebody looked without a standing right, for a reason that will be examined."""

    account: str


class ClientAliased(OfRequest, frozen=True, kw_only=True):
    """The client's id was replaced by the surviving one."""


class ClientErased(OfRequest, frozen=True, kw_only=True):
    """What identified the client is gone."""


class OfWorker(Event, frozen=True, kw_only=True):
    """What every event of a worker says."""

    abstract: ClassVar = True
    stream: ClassVar = "matching.worker"
    worker_id: str
    division: str
    at: datetime


class WorkerKept(OfWorker, frozen=True, kw_only=True):
    """A worker can be asked from now on."""

    fields: tuple[str, ...]
    weekly_capacity: int


class WorkerChanged(OfWorker, frozen=True, kw_only=True):
    """The assignment's terms changed."""

    replaces: ClassVar = True
    fields: tuple[str, ...]
    weekly_capacity: int


class WorkerLoadChanged(OfWorker, frozen=True, kw_only=True):
    """Offers out, cases accepted."""

    replaces: ClassVar = True
    offered: int
    accepted: int


class WorkerSuspended(OfWorker, frozen=True, kw_only=True):
    """Asked no more for now; the requests offered go to somebody else, those accepted stay."""

    offered: tuple[str, ...]
    accepted: tuple[str, ...]


class WorkerEnded(OfWorker, frozen=True, kw_only=True):
    """The assignment is over; the requests offered and accepted go to somebody else."""

    offered: tuple[str, ...]
    accepted: tuple[str, ...]


class HouseholdRegistered(Event, frozen=True, kw_only=True):
    """A household was written down."""

    stream: ClassVar = "matching.household"
    household_id: str
    division: str
    members: int


class HouseholdChanged(Event, frozen=True, kw_only=True):
    """Members or address changed."""

    replaces: ClassVar = True
    stream: ClassVar = "matching.household"
    household_id: str
    division: str
    members: int


class RosterSet(Event, frozen=True, kw_only=True):
    """Who is on duty in a division, from when to when."""

    replaces: ClassVar = True
    stream: ClassVar = "matching.roster"
    roster_id: str
    division: str
    first_on: date | None
    last_on: date | None
    turns: int


from banyan.contracts.matching_runs import *  # noqa: E402, F403 - a chapter of its own (docs/why/0011)
