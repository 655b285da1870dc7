"""What generated people are made of: common names, the speech of each place, shares like the province's. All ‡."""

from __future__ import annotations


def _spread(text: str, first: float = 10.0, fall: float = 0.95) -> tuple[tuple[str, float], ...]:
    """Words with falling weights, the commonest first."""
    return tuple((word, first * fall**rank) for rank, word in enumerate(text.split()))


SURNAMES = _spread(
    "陈 林 黄 张 吴 李 王 郑 刘 苏 杨 谢 蔡 叶 许 郭 周 赖 曾 徐 朱 邱 江 罗 庄 洪 何 余 潘 肖 "
    "游 蓝 沈 卢 方 雷 陆 魏 高 钟 吕 胡 赵 傅 翁 柯 施 孙 颜 邓 范 廖 阮 连 康 柳 欧 单 仇 欧阳 上官"
)
GIVEN_FEMALE = tuple("婷敏静丽芳燕玲娟艳雪梅琳慧秀英萍红霞云珍莉倩颖洁莹蓉芬惠珠娜妹秋香月琴怡晓雅欣佳")
GIVEN_MALE = tuple("伟强明军辉斌勇杰涛鹏飞宇建国志文华平刚波海龙林峰俊浩健坤荣清福生金德祥光义诚毅晖")
RARE_NAMES = ("王䶮", "陈𬭎", "林𣎴", "买买提·吐尔逊", "阿依古丽·艾山", "钟㛃", "雷𫖯")

ETHNICITIES = (("01", 97.0), ("22", 1.2), ("03", 0.5), ("15", 0.4), ("06", 0.3), ("23", 0.2), ("08", 0.2), ("11", 0.2))
EDUCATIONS = (("21", 52.0), ("31", 34.0), ("14", 5.0), ("61", 5.0), ("41", 3.0), ("71", 0.9), ("11", 0.1))
POLITICAL_STATUSES = (
    ("13", 56.0),
    ("01", 28.0),
    ("03", 13.0),
    ("02", 1.5),
    ("05", 0.5),
    ("12", 0.5),
    ("11", 0.3),
    ("09", 0.2),
)
LEVELS = (("none", 18.3), ("assistant", 62.0), ("intermediate", 19.6), ("senior", 0.1))
EMPLOYER_KINDS = (
    ("community", 52.0),
    ("social_organisation", 18.0),
    ("public_institution", 14.0),
    ("organ", 8.0),
    ("people_organisation", 5.0),
    ("enterprise", 3.0),
)
POSTS = {
    "community": "社区工作者",
    "social_organisation": "社会工作者",
    "public_institution": "社会工作岗位专业技术人员",
    "organ": "社会事务岗",
    "people_organisation": "服务专员",
    "enterprise": "员工帮扶专员",
}
FIELDS = (
    ("community", 20.0),
    ("welfare", 17.0),
    ("assistance", 13.0),
    ("family", 9.0),
    ("education", 7.0),
    ("disability", 6.0),
    ("health", 5.0),
    ("mental_health", 4.0),
    ("mediation", 4.0),
    ("charity", 3.0),
    ("employment", 3.0),
    ("workers", 3.0),
    ("crime_prevention", 2.0),
    ("correction", 1.5),
    ("drug_rehabilitation", 1.0),
    ("emergency", 1.0),
    ("conversion_training", 0.5),
)

LANGUAGE_OF_CITY = {
    "3501": "fuzhou",
    "3502": "minnan",
    "3503": "puxian",
    "3504": "minzhong",
    "3505": "minnan",
    "3506": "minnan",
    "3507": "minbei",
    "3508": "hakka",
    "3509": "mindong",
}
LANGUAGE_OF_COUNTY = {
    "350421": "hakka",
    "350423": "hakka",
    "350424": "hakka",
    "350425": "minnan",
    "350426": "fuzhou",
    "350428": "shaojiang",
    "350429": "gan",
    "350430": "gan",
    "350721": "shaojiang",
    "350722": "wu",
    "350723": "shaojiang",
    "350781": "shaojiang",
    "350802": "minnan",
    "350881": "minnan",
    "350922": "fuzhou",
    "350923": "fuzhou",
}
OTHER_LANGUAGES = (
    ("sign", 3.0),
    ("english", 3.0),
    ("hakka", 2.0),
    ("minnan", 2.0),
    ("fuzhou", 1.0),
    ("she", 1.0),
    ("uyghur", 0.2),
)

REGION_BEFORE = {
    "350404": "350403",
    "350405": "350427",
    "350604": "350681",
    "350605": "350625",
    "350112": "350126",
    "350703": "350784",
    "350803": "350822",
}
"""Counties whose residents were born under another code; their numbers keep it."""
OTHER_REGIONS = ("350102", "350203", "350302", "350502", "350602", "350702", "350802", "350902")
