"""Ranking: whom to send, exactly and explained. Pure: arrays in, arrays out; no service, no database, no clock.

One table of rules and terms (`table.py`, formulas in `formulas.py`) is read by ranking, explanation and why-not alike;
the arithmetic is whole numbers throughout, so SQL, numpy, numba and pencil agree to the last point. docs/ranking.md
says it in words.
"""

from services.matching.ranking.arrays import POSTING, Request, Worker, Workers
from services.matching.ranking.figures import FUJIAN, Figures, Plane
from services.matching.ranking.index import TOP_K, Index, Ranked, WhyNot, warm
from services.matching.ranking.table import RULES, TABLE_VERSION, TERMS, Explanation, Judged, Scored, explain_pair

__all__ = [
    "FUJIAN",
    "POSTING",
    "RULES",
    "TABLE_VERSION",
    "TERMS",
    "TOP_K",
    "Explanation",
    "Figures",
    "Index",
    "Judged",
    "Plane",
    "Ranked",
    "Request",
    "Scored",
    "WhyNot",
    "Worker",
    "Workers",
    "explain_pair",
    "warm",
]
