"""identity 身份与基础数据: who may do what, where and when; and the reference data that every service copies.

Owns: accounts and their grants, sessions and tokens, signing keys; divisions, working days, figures, competence.
Promises: a revoked grant stops acting within 60 s; a token lives ten minutes at the most; reference data changes by
command with a date and a deed, history keeps what was in force; no answer to a log-in tells whether an account exists.
Refuses: a duty to oneself, duties that exclude each other, divisions or figures without a day, a gap in the calendar.
Neighbours: every service follows identity.reference and identity.account; nobody asks identity while it works.
"""
