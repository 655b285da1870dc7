#!/usr/bin/env python3
# fmt: off
"""Adds up a matching's certificate by docs/ranking.md and docs/optimum.md alone: verify_matching.py FOLDER, which holds
inputs.npz and certificate.npz. Every worker x every request counts; no solver is trusted. Needs numpy 2."""
import hashlib, json, os, sys, numpy as np  # noqa: E401, I001

def need(holds, what):
    holds or sys.exit(f"WRONG: {what}")

def load(name):
    with np.load(f"{sys.argv[1]}/{name}.npz", allow_pickle=False) as opened:
        return (arrays := {key: opened[key] for key in opened.files}), json.loads(bytes(arrays["told"]))

need(len(sys.argv) == 2 and all(os.path.exists(f"{sys.argv[1]}/{n}.npz") for n in ("inputs", "certificate")), "no folder with both files")
(A, inputs), (C, said) = load("inputs"), load("certificate")
need((inputs["format"], said["format"]) == ("banyan.matching.inputs.v1", "banyan.matching.certificate.v1"), "format")
told = b"".join(f"{n} {A[n].dtype.str} {A[n].shape}\n".encode() + A[n].tobytes() for n in sorted(A))
need(hashlib.sha256(told).hexdigest() == said["inputs"] and inputs["table_version"] == said["table_version"], "other inputs or table")
W = {name[7:]: A[name].astype(np.int64) for name in A if name.startswith("worker_") and name != "worker_ids"}
R = {name[8:]: A[name].astype(np.int64) for name in A if name.startswith("request_") and name != "request_ids"}
assigned, price, surplus = C["assigned"], C["prices"], C["surplus"]
places, taken_before, full = np.maximum(W["free"], 0), W["capacity"] - W["free"], W["capacity"]
names = A["named_request"].astype(np.int64) << 32 | A["named_worker"]
need((len(price), len(surplus), len(assigned)) == (len(full), len(R["serving"]), len(R["serving"])), "lengths")
ends = ((assigned + 1, len(full)), (price, 1 << 40), (surplus, 1 << 40))
need(all(((each >= 0) & (each <= end)).all() for each, end in ends), "a number out of bounds")

def value(r, w):
    """Which pairs (ascending by request, worker) pass every rule, and what those are worth."""
    ok = W["languages"][w] & R["languages_needed"][r] == R["languages_needed"][r]
    r, w = r[ok], w[ok]
    ok = (R["slots_wanted"][r] == 0) | (W["slots"][w] & R["slots_wanted"][r] != 0)
    ok &= (W["level"][w] >= R["min_level"][r]) & (W["registered"][w] >= R["registration_needed"][r]) & (W["free"][w] > 0)
    ok &= ((R["sex_wanted"][r] == 0) | (W["sex"][w] == R["sex_wanted"][r])) & (W["proficiency"][w, R["field_wanted"][r]] > 0)
    r, w = r[ok], w[ok]
    square = (W["x"][w] - R["x_wanted"][r]) ** 2 + (W["y"][w] - R["y_wanted"][r]) ** 2
    metres = np.sqrt(square).astype(np.int64)
    metres += ((metres + 1) ** 2 <= square).astype(np.int64) - (metres**2 > square)
    mark, some = np.zeros(len(r), np.int64), np.isin(names >> 32, r)
    at = np.searchsorted(r << 32 | w, names[some])
    hit = np.append(r << 32 | w, -1)[at] == names[some]
    mark[at[hit]] = A["named_mark"][some][hit]  # 1 conflict, 2 excluded, 4 earlier, 8 offered
    ok = (metres <= R["limit_m"][r]) & (mark & 3 == 0)
    out = np.flatnonzero(W["cross_area"][w] * R["cross_area_allowed"][r] == 0)
    ok[out] &= (W["area"][w[out], None] == R["lines"][r[out]]).any(1)
    r, w, metres, mark = (each[ok] for each in (r, w, metres, mark))
    points = {name[:-7]: R[name][r] for name in R if name.endswith("_points")}
    worth = R["serving"][r] + points["nearest"] - points["nearest"] * metres // R["limit_m"][r]
    worth += np.choose(W["proficiency"][w, R["field_wanted"][r]], [0] + [points[f"proficiency_{n}"] for n in (1, 2, 3)])
    worth += points["all_free"] * W["free"][w] // full[w] + mark // 4 % 2 * points["earlier"] + mark // 8 * points["offered"]
    worth += ((W["languages"][w] & (R["languages_needed"][r] | R["languages_wished"][r])) != 0) * points["asked_language"]
    worth += (W["level"][w] == R["min_level"][r]) * points["exact_level"]
    return r, w, worth + np.minimum(np.bitwise_count(W["slots"][w] & R["slots_wanted"][r]) * points["slot"], points["slots_most"])

passed, _, worth = value(served := np.flatnonzero(assigned >= 0), assigned[served])
need(len(passed) == len(served), f"rules fail for request {A['request_ids'][np.setdiff1d(served, passed)[:1]]}")
taken, who = np.bincount(assigned[served], minlength=len(full)), np.repeat(np.arange(len(full)), places)
need((taken <= places).all(), "a worker has more requests than places")
nth, cost = np.arange(len(who)) - (np.cumsum(places) - places)[who], np.zeros(len(who), np.int64)
for percent, dear in inputs["bands"]:
    cost[100 * (taken_before[who] + nth) >= percent * full[who]] = dear
objective = int(worth.sum() - cost[nth < taken[who]].sum())
bound, pairs = int(surplus.sum() + np.maximum(price[who] - cost, 0).sum()), 0
told = np.column_stack([*R.values(), surplus, np.isin(np.arange(len(surplus)), names >> 32) * np.arange(1, len(surplus) + 1)])
_, one, like = np.unique(told, axis=0, return_index=True, return_counts=True)  # requests that nothing tells apart: once
order = one[np.lexsort((R["x_wanted"][one], R["y_wanted"][one] // 20_000, R["field_wanted"][one]))]
for r in map(np.sort, filter(len, np.split(order, range(128, len(order), 128)))):  # requests near each other, all workers in reach
    x, y, reach = (R[name][r] for name in ("x_wanted", "y_wanted", "limit_m"))
    w = np.flatnonzero((W["y"] >= (y - reach).min()) & (W["y"] <= (y + reach).max()))
    w = w[(W["x"][w] >= (x - reach).min()) & (W["x"][w] <= (x + reach).max())]
    w = w[(W["proficiency"][w][:, np.unique(R["field_wanted"][r])] > 0).any(1)]
    i, j = np.nonzero((x[:, None] - W["x"][w]) ** 2 + (y[:, None] - W["y"][w]) ** 2 < (reach[:, None] + 1) ** 2)
    a, b, worth = value(r[i], w[j])
    need((worth <= surplus[a] + price[b]).all(), "a pair worth more than surplus and price: no proof")
    pairs += int(np.bincount(one, like)[a].sum())
need((objective, bound) == (said["objective"], said["bound"]), f"adds up to {objective} and a bound of {bound}")
need(said["status"] == ("optimal_all_pairs" if objective == bound else "bounded"), "another status")
word = "OPTIMAL" if objective == bound else f"BOUNDED, at most {bound - objective} points short"
print(f"{word}: {len(served)} of {len(assigned)} served, {objective} points, {pairs} feasible pairs added up")
