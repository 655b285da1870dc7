"""registry: who the professionals, certified, registered and community workers are, and who is assigned where.

Levels are none, assistant, intermediate, senior. `division` of a person is where the person works, else lives.
Populations: professional = `talent_basis` is not none; certified = `level` is not none; registered = state active.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar

import msgspec

from banyan.contracts.frame import FILE_PART_BYTES, FilePart, FilePartNumber
from banyan.contracts.registry_answers import Assignments, Duplicates, ImportView, OwnCopy, People, PersonView
from banyan.kernel.message import ACCOUNT, SYSTEM, Bulk, Command, Event, Query
from banyan.kernel.personal import personal

YEARS_3, YEARS_10 = 1095, 3650
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100), personal("name", "确认身份、联系本人", YEARS_10)]
Phone = Annotated[str, personal("phone", "联系本人", YEARS_3)]
Number = Annotated[str, personal("document", "确认身份、防止重复登记", YEARS_10, sensitive=True)]
BirthDate = Annotated[date, personal("birth_date", "确认身份、防止重复登记", YEARS_10)]
Sex = Annotated[str, personal("sex", "确认身份、服务对象选择同性别人员", YEARS_10)]
Political = Annotated[str, personal("political_status", "人才队伍统计", YEARS_3, sensitive=True)]
Education = Annotated[str, personal("education", "认定人才依据", YEARS_10)]
Microdegrees = Annotated[int, msgspec.Meta(ge=-180_000_000, le=180_000_000)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]
Reason = Annotated[str, msgspec.Meta(min_length=2, max_length=500)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
UPLOAD_PARTS, UPLOAD_PART_BYTES = 200, 600_000  # a part fits into an RPC body of 1 MiB; a file has at most 120 MB
REGISTRARS = ("registrar", "city_registrar")
EMPLOYERS = ("station_lead", "agency_admin")


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level certificate, which never expires: assistant, intermediate or senior; passed on a day."""

    level: str
    number: str
    passed_on: date


class RegisterPerson(Command, frozen=True, kw_only=True):
    """录入人员：建立一份草稿记录。"""

    may: ClassVar = (*REGISTRARS, *EMPLOYERS)
    division: str
    name: Name
    document_kind: str
    document_number: Number
    document_expires_on: date | None = None
    sex: Sex | None = None
    birth_date: BirthDate | None = None
    phone: Phone | None = None
    home_division: str | None = None
    education: Education | None = None
    political_status: Political | None = None
    employer_kind: str = "none"
    post: str = ""
    community_worker: bool = False
    fields: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    weekly_capacity: int = 0
    talent_basis: str = "none"
    talent_evidence: str = ""
    certificate: Certificate | None = None
    registered_from: date | None = None
    account: str | None = None
    legal_basis: str = "statutory_duty"
    notice_version: str = ""
    submit: bool = False


class OnPerson(Command, frozen=True, kw_only=True):
    """What every order about one person carries."""

    abstract: ClassVar = True
    may: ClassVar[tuple[str, ...]] = REGISTRARS
    person_id: str
    version: int | None = None


class CorrectPerson(OnPerson, frozen=True, kw_only=True):
    """更正人员信息：只填需要更正的项目。"""

    reason: Reason
    effective_on: date | None = None
    division: str | None = None
    name: Name | None = None
    document_kind: str | None = None
    document_number: Number | None = None
    document_expires_on: date | None = None
    sex: Sex | None = None
    birth_date: BirthDate | None = None
    phone: Phone | None = None
    home_division: str | None = None
    education: Education | None = None
    political_status: Political | None = None
    employer_kind: str | None = None
    post: str | None = None
    community_worker: bool | None = None
    fields: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    weekly_capacity: int | None = None


class SubmitPerson(OnPerson, frozen=True, kw_only=True):
    """提交人员记录，等待审核。"""

    may: ClassVar = (*REGISTRARS, *EMPLOYERS, ACCOUNT)


class ApprovePerson(OnPerson, frozen=True, kw_only=True):
    """审核通过一名社会工作专业人才。"""

    may: ClassVar = ("registrar",)


class ApprovePeople(Bulk, frozen=True, kw_only=True):
    """批量审核通过。"""

    may: ClassVar = ("registrar",)
    each: ClassVar = ApprovePerson
    items: tuple[ApprovePerson, ...]


class ReturnPerson(OnPerson, frozen=True, kw_only=True):
    """退回人员记录，说明需要补正的内容。"""

    reason: Reason


class SamplePerson(OnPerson, frozen=True, kw_only=True):
    """设区市抽查一名已审核的人员。"""

    may: ClassVar = ("city_registrar",)
    sound: bool
    reason: Reason


class RecogniseTalent(OnPerson, frozen=True, kw_only=True):
    """认定人才依据：学历，或受过培训并在岗。"""

    basis: str
    evidence: str


class CertifyPerson(OnPerson, frozen=True, kw_only=True):
    """登记已核验的职业水平证书。"""

    certificate: Certificate


class BeginRegistration(OnPerson, frozen=True, kw_only=True):
    """办理首次登记或失效后的重新登记。"""

    from_on: date | None = None


class RenewRegistration(OnPerson, frozen=True, kw_only=True):
    """办理延续登记。"""


class RecordLearning(OnPerson, frozen=True, kw_only=True):
    """记入继续教育学时。learning 为 course 或 degree；evidence 相同的只记一次。"""

    learning: str
    hours: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    completed_on: date
    evidence: str


class SuspendPerson(OnPerson, frozen=True, kw_only=True):
    """暂停人员资格。"""

    reason: Reason


class ReinstatePerson(OnPerson, frozen=True, kw_only=True):
    """恢复被暂停的人员资格。"""

    reason: Reason


class RetirePerson(OnPerson, frozen=True, kw_only=True):
    """人员退出队伍。"""

    reason: Reason


class LapsePerson(OnPerson, frozen=True, kw_only=True):
    """登记期满，登记失效。"""

    may: ClassVar = (SYSTEM,)


class RemindPerson(OnPerson, frozen=True, kw_only=True):
    """提醒登记即将期满。"""

    may: ClassVar = (SYSTEM,)
    days_left: int


class SettleDuplicate(OnPerson, frozen=True, kw_only=True):
    """对疑似重复的两份记录作出判断；是同一人的，并入 survivor_id。"""

    other_id: str
    same: bool
    survivor_id: str | None = None
    reason: Reason


class MergePersons(Command, frozen=True, kw_only=True):
    """合并同一人的两份记录：absorbed 并入 survivor。"""

    may: ClassVar[tuple[str, ...]] = REGISTRARS
    absorbed_id: str
    survivor_id: str
    reason: Reason


class UnmergePersons(Command, frozen=True, kw_only=True):
    """撤销合并：此后的事实仍留在 survivor 名下。"""

    may: ClassVar[tuple[str, ...]] = REGISTRARS
    absorbed_id: str
    reason: Reason


class ErasePerson(OnPerson, frozen=True, kw_only=True):
    """依本人请求或保存期满，删除个人信息。"""

    may: ClassVar = ("privacy_officer", SYSTEM)
    reason: Reason


class CorrectOwnRecord(OnPerson, frozen=True, kw_only=True):
    """本人更正自己的联系方式、语言和每周可服务量。"""

    may: ClassVar = (ACCOUNT,)
    phone: Phone | None = None
    languages: tuple[str, ...] | None = None
    weekly_capacity: int | None = None


class AskCorrection(OnPerson, frozen=True, kw_only=True):
    """本人请求更正需要审核的项目。"""

    may: ClassVar = (ACCOUNT,)
    wrong: tuple[str, ...]
    reason: Annotated[Reason, personal("statement", "办理更正", YEARS_3)]


class OpenAssignment(Command, frozen=True, kw_only=True):
    """提出或开始一项服务任职；由用人单位提交即视为已确认。"""

    may: ClassVar = (*EMPLOYERS, *REGISTRARS)
    person_id: str
    host_kind: str
    host_id: str
    division: str
    area: str
    longitude_udeg: Microdegrees
    latitude_udeg: Microdegrees
    fields: dict[str, int]
    languages: tuple[str, ...] = ()
    weekly_capacity: int
    slots: tuple[int, ...] = ()
    cross_area: bool = False
    since: date | None = None
    until: date | None = None


class OpenAssignments(Bulk, frozen=True, kw_only=True):
    """批量开始服务任职。"""

    may: ClassVar = (*EMPLOYERS, *REGISTRARS)
    each: ClassVar = OpenAssignment
    items: tuple[OpenAssignment, ...]


class OnAssignment(Command, frozen=True, kw_only=True):
    """What every order about one assignment carries."""

    abstract: ClassVar = True
    may: ClassVar[tuple[str, ...]] = EMPLOYERS
    assignment_id: str
    version: int | None = None


class ConfirmAssignment(OnAssignment, frozen=True, kw_only=True):
    """用人单位确认服务任职。"""


class ChangeAssignment(OnAssignment, frozen=True, kw_only=True):
    """变更服务任职：只填需要变更的项目。"""

    area: str | None = None
    longitude_udeg: Microdegrees | None = None
    latitude_udeg: Microdegrees | None = None
    fields: dict[str, int] | None = None
    languages: tuple[str, ...] | None = None
    weekly_capacity: int | None = None
    slots: tuple[int, ...] | None = None
    cross_area: bool | None = None
    until: date | None = None


class RefreshAssignment(OnAssignment, frozen=True, kw_only=True):
    """人员的级别、登记或账号变化后，更新其服务任职。"""

    may: ClassVar = (SYSTEM,)


class EndAssignment(OnAssignment, frozen=True, kw_only=True):
    """结束服务任职。"""

    may: ClassVar = (*EMPLOYERS, *REGISTRARS, SYSTEM)
    reason: Reason


class AddUpload(Command, frozen=True, kw_only=True):
    """上传文件的一段。digest 是整个文件的 SHA-256（十六进制），part 从 0 起，共 parts 段。"""

    may: ClassVar = REGISTRARS
    division: str
    digest: Digest
    part: Annotated[int, msgspec.Meta(ge=0, lt=UPLOAD_PARTS)]
    parts: Annotated[int, msgspec.Meta(ge=1, le=UPLOAD_PARTS)]
    content: Annotated[
        bytes, msgspec.Meta(max_length=UPLOAD_PART_BYTES), personal("file", "批量录入", 30, sensitive=True)
    ]


class StartImport(Command, frozen=True, kw_only=True):
    """从已上传的 CSV 或 XLSX 文件批量录入人员，后台分批进行。"""

    may: ClassVar[tuple[str, ...]] = REGISTRARS
    division: str
    digest: Digest
    format: str
    submit: bool = True


class KeepRefusedRows(Command, frozen=True, kw_only=True):
    """保存被退回的行的一段，供改正后重新录入。"""

    may: ClassVar = (SYSTEM,)
    import_id: str
    division: str
    part: Annotated[int, msgspec.Meta(ge=0)]
    parts: Annotated[int, msgspec.Meta(ge=1)]
    digest: Digest
    content: Annotated[
        bytes, msgspec.Meta(max_length=FILE_PART_BYTES), personal("file", "改正后重新录入", 30, sensitive=True)
    ]


class FinishImport(Command, frozen=True, kw_only=True):
    """批量录入结束，记下结果；refused_ids 等三项是被退回的行所成的文件。"""

    may: ClassVar = (SYSTEM,)
    import_id: str
    rows: int
    refused: int
    failure: str = ""
    refused_ids: tuple[str, ...] = ()
    refused_size: int = 0
    refused_digest: str = ""


class ForgetRefusedRows(Command, frozen=True, kw_only=True):
    """被退回的行保存期满，删除。"""

    may: ClassVar = (SYSTEM,)
    import_id: str


class GetPerson(Query, frozen=True, kw_only=True):
    """查看一名人员；可看某日的、以及某一时刻所知的情况。clear 列出需要看明文的项目：document、phone。"""

    may: ClassVar = (*REGISTRARS, *EMPLOYERS)
    answer: ClassVar = PersonView
    person_id: str
    on: date | None = None
    known_at: datetime | None = None
    clear: tuple[str, ...] = ()


class FindPeople(Query, frozen=True, kw_only=True):
    """查找人员：姓名、姓、拼音、首字母，或电话、证件末四位；按拼音排序。"""

    may: ClassVar = (*REGISTRARS, *EMPLOYERS)
    answer: ClassVar = People
    name: Annotated[str, personal("name", "查找", 0)] | None = None
    last4: Annotated[str, personal("document", "查找", 0)] | None = None
    division: str | None = None
    state: str | None = None
    level: str | None = None
    limit: Limit = 50
    next: str | None = None


class FindDuplicates(Query, frozen=True, kw_only=True):
    """列出待判断的疑似重复记录，两份并列。"""

    may: ClassVar[tuple[str, ...]] = REGISTRARS
    answer: ClassVar = Duplicates
    limit: Limit = 50
    next: str | None = None


class FindAssignments(Query, frozen=True, kw_only=True):
    """列出服务任职。"""

    may: ClassVar = (*REGISTRARS, *EMPLOYERS)
    answer: ClassVar = Assignments
    person_id: str | None = None
    host_id: str | None = None
    state: str | None = None
    limit: Limit = 50
    next: str | None = None


class GetOwnCopy(Query, frozen=True, kw_only=True):
    """本人取得自己全部个人信息的副本。"""

    answer: ClassVar = OwnCopy


class GetImport(Query, frozen=True, kw_only=True):
    """查看批量录入的进度和被退回的行。"""

    may: ClassVar[tuple[str, ...]] = REGISTRARS
    answer: ClassVar = ImportView
    import_id: str
    limit: Limit = 50
    next: str | None = None


class ReadRefusedRows(Query, frozen=True, kw_only=True):
    """读取被退回的行（CSV，原样附原因与补救办法）的一段；下载用 GET /v1/imports/{import_id}/refused。查看即留痕。"""

    may: ClassVar[tuple[str, ...]] = REGISTRARS
    answer: ClassVar = FilePart
    import_id: str
    part: FilePartNumber = 0


class PersonEvent(Event, frozen=True, kw_only=True):
    """What every fact about a person says, as it is after the fact; figures need nothing else."""

    abstract: ClassVar = True
    stream: ClassVar = "registry.person"
    person_id: str
    division: str
    state: str
    level: str = "none"
    talent_basis: str = "none"
    employer_kind: str = "none"
    community_worker: bool = False
    fields: tuple[str, ...] = ()
    registration_until: date | None = None
    effective_on: date | None = None


class PersonDrafted(PersonEvent, frozen=True, kw_only=True):
    """A record was begun."""


class PersonSubmitted(PersonEvent, frozen=True, kw_only=True):
    """A record awaits approval."""


class PersonApproved(PersonEvent, frozen=True, kw_only=True):
    """The county saw document and certificate."""


class PersonReturned(PersonEvent, frozen=True, kw_only=True):
    """The county sent the record back for completion."""


class PersonSampled(PersonEvent, frozen=True, kw_only=True):
    """The city looked at an approved record: sound or not."""

    sound: bool


class PersonRecognised(PersonEvent, frozen=True, kw_only=True):
    """The basis for counting as a professional was recognised."""


class PersonCertified(PersonEvent, frozen=True, kw_only=True):
    """A level certificate was entered."""

    passed_on: date


class PersonRegistered(PersonEvent, frozen=True, kw_only=True):
    """A registration period began; both days are included."""

    period_from: date
    period_until: date


class PersonRenewed(PersonEvent, frozen=True, kw_only=True):
    """A further registration period follows without a gap."""

    period_from: date
    period_until: date


class LearningRecorded(PersonEvent, frozen=True, kw_only=True):
    """Hours of continuing education were credited."""

    learning: str
    hours: int


class PersonReminded(PersonEvent, frozen=True, kw_only=True):
    """The person was told that the registration ends."""

    replaces: ClassVar = True
    days_left: int


class PersonLapsed(PersonEvent, frozen=True, kw_only=True):
    """The registration period ended without renewal."""


class PersonSuspended(PersonEvent, frozen=True, kw_only=True):
    """The person may not serve for now."""


class PersonReinstated(PersonEvent, frozen=True, kw_only=True):
    """A suspension was lifted."""


class PersonRetired(PersonEvent, frozen=True, kw_only=True):
    """The person left the profession."""


class PersonCorrected(PersonEvent, frozen=True, kw_only=True):
    """Particulars were corrected; `changed` names the fields, never the personal values."""

    changed: tuple[str, ...]
    division_before: str


class CorrectionAsked(PersonEvent, frozen=True, kw_only=True):
    """The person says that fields are wrong; an officer has to look."""

    wrong: tuple[str, ...]


class DuplicateSuspected(PersonEvent, frozen=True, kw_only=True):
    """Same name, birth date and phone as other records: a person decides."""

    other_ids: tuple[str, ...]


class DuplicateDismissed(PersonEvent, frozen=True, kw_only=True):
    """An officer found two persons in two like records."""

    other_id: str


class PersonMerged(PersonEvent, frozen=True, kw_only=True):
    """`absorbed_id` (this person_id) is from now on an alias of `survivor_id`."""

    absorbed_id: str
    survivor_id: str


class PersonUnmerged(PersonEvent, frozen=True, kw_only=True):
    """The alias is closed; `absorbed_id` (this person_id) stands for itself again."""

    absorbed_id: str
    survivor_id: str


class PersonErased(PersonEvent, frozen=True, kw_only=True):
    """The personal data are gone: the person's key is destroyed."""


class AssignmentEvent(Event, frozen=True, kw_only=True):
    """A worker as matching needs to know: no name, the position only to its cell (GCJ-02, millionths of a degree)."""

    abstract: ClassVar = True
    stream: ClassVar = "registry.assignment"
    assignment_id: str
    person_id: str
    host_kind: str  # station | agency
    host_id: str
    division: str  # the work place: village or town
    area: str  # the division that the assignment covers
    longitude_udeg: int
    latitude_udeg: int
    fields: dict[str, int]  # field of service -> proficiency 1-3
    languages: tuple[str, ...] = ()
    sex: str
    level: str
    registered: bool
    registration_until: date | None = None
    weekly_capacity: int
    slots: tuple[int, ...] = ()  # 0-20: 3 parts of each day from Monday morning
    cross_area: bool = False
    account: str | None = None
    since: date
    until: date | None = None


class AssignmentProposed(AssignmentEvent, frozen=True, kw_only=True):
    """The employer has still to confirm."""


class AssignmentOpened(AssignmentEvent, frozen=True, kw_only=True):
    """The employer confirmed: from `since` on the worker can be matched."""


class AssignmentChanged(AssignmentEvent, frozen=True, kw_only=True):
    """Something of it changed; all fields are given anew."""

    replaces: ClassVar = True


class AssignmentEnded(Event, frozen=True, kw_only=True):
    """The worker is matched under it no more. The reason is a code: `ended`, or what became of the person's record."""

    stream: ClassVar = "registry.assignment"
    assignment_id: str
    person_id: str
    division: str
    reason: str


class ImportEvent(Event, frozen=True, kw_only=True):
    """What every fact about an import says."""

    abstract: ClassVar = True
    stream: ClassVar = "registry.import"
    import_id: str
    division: str


class ImportStarted(ImportEvent, frozen=True, kw_only=True):
    """A file waits to be taken in."""

    digest: str


class ImportFinished(ImportEvent, frozen=True, kw_only=True):
    """All rows were taken in or refused; `failure` is a refusal's code if the file could not be read."""

    rows: int
    refused: int
    failure: str = ""
