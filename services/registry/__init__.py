"""registry 人员登记: one record for one person, from draft to retirement, and who is assigned to serve where.

Owns: persons (professionals, certified, registered, community workers), their certificates, registration periods,
hours of learning, the decision on duplicates, merges, service assignments, and imports of persons from files.
Promises: one document is one record; populations are never mixed; a lapse is an event within seconds; each record is
read as of a day and as known at an instant; an erased person cannot be read again, replays included.
Refuses: a document that does not hold together, a registration without a certificate or out of time, a move that the
state does not allow, any order to a record that was merged into another.
Neighbours: identity says who may; matching hears of assignments; insight counts from the events of persons.
"""
