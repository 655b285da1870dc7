"""insight 行业动态: figures by division as of any day, the lists behind them, targets, bulletin, alerts.

Owns: nothing but what it makes of events: versions of persons, assignments, requests and workers; and exports, files of
its figures and lists that are kept for some hours.
Promises: a figure and the list behind it come from one snapshot, named by stream positions, which can be asked for
again and gives the same answer for ever; a rebuild from the first event is equal to the live tables; protected cases
are counted and never listed.
Refuses: an area outside the caller's jurisdiction, a snapshot that it has not reached.
Neighbours: reads the streams registry.person, registry.assignment, matching.request, matching.worker; reads no other
service's database and nothing personal.
"""
