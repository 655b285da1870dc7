// Adds one county's certificate up from docs/ranking.md and docs/optimum.md: every request with every worker within reach.
const data = JSON.parse(document.getElementById("county").textContent);
const { workers: W, requests: Q } = data;
const CONFLICT = 1, EXCLUDED = 2, EARLIER = 4, OFFERED = 8;
const marks = new Map(data.named.map(([r, w, mark]) => [r * W.x.length + w, mark]));
const bits = (n) => { let many = 0; for (; n; n &= n - 1) many++; return many; };

// What serving a request by a worker is worth, or null where a rule does not hold.
function worth(r, w) {
  const field = Q.field_wanted[r], skill = W.proficiency[w][field], mark = marks.get(r * W.x.length + w) ?? 0;
  const east = W.x[w] - Q.x_wanted[r], north = W.y[w] - Q.y_wanted[r], limit = Q.limit_m[r];
  if (!(skill > 0 && W.free[w] > 0) || Math.abs(east) > limit || Math.abs(north) > limit) return null;
  const square = east * east + north * north;
  let metres = Math.floor(Math.sqrt(square));
  while (metres * metres > square) metres--;
  while ((metres + 1) * (metres + 1) <= square) metres++;
  const common = bits(W.slots[w] & Q.slots_wanted[r]), needed = Q.languages_needed[r];
  const holds = metres <= limit && W.registered[w] >= Q.registration_needed[r] && !(mark & (CONFLICT | EXCLUDED))
    && (W.languages[w] & needed) === needed && (Q.sex_wanted[r] === 0 || W.sex[w] === Q.sex_wanted[r])
    && W.level[w] >= Q.min_level[r] && (Q.slots_wanted[r] === 0 || common > 0)
    && (Q.line[r].includes(W.area[w]) || (W.cross_area[w] && Q.cross_area_allowed[r]));
  if (!holds) return null;
  const asked = W.languages[w] & (needed | Q.languages_wished[r]);
  return Q.serving[r] + Q[`proficiency_${skill}_points`][r]
    + Q.nearest_points[r] - Math.floor((Q.nearest_points[r] * metres) / limit)
    + Math.floor((Q.all_free_points[r] * W.free[w]) / W.capacity[w])
    + (mark & EARLIER ? Q.earlier_points[r] : 0) + (mark & OFFERED ? Q.offered_points[r] : 0) + (asked ? Q.asked_language_points[r] : 0)
    + (W.level[w] === Q.min_level[r] ? Q.exact_level_points[r] : 0)
    + Math.min(common * Q.slot_points[r], Q.slots_most_points[r]);
}

// Whether the county's part of the certificate holds with these numbers; the first thing wrong otherwise.
function verdict({ price, surplus: gains, assigned }) {
  let pairs = 0, served = 0;
  const taken = new Array(W.x.length).fill(0);
  const below = price.findIndex((p) => !(p >= 0));
  if (below >= 0) return `证书不成立：第 ${below + 1} 名社工的价格为负。`;
  for (let r = 0; r < Q.serving.length; r++) {
    const mine = assigned[r], surplus = gains[r];
    if (!(surplus >= 0)) return `证书不成立：第 ${r + 1} 件求助的盈余为负。`;
    for (let w = 0; w < W.x.length; w++) {
      const value = worth(r, w);
      if (value === null) continue;
      pairs++;
      if (value > surplus + price[w]) return `证书不成立：第 ${r + 1} 件求助与第 ${w + 1} 名社工这一对值 ${value} 分，超过盈余 ${surplus} + 价格 ${price[w]}。`;
    }
    if (mine < 0 && surplus !== 0) return `证书不成立：第 ${r + 1} 件没有派到，盈余却不是 0。`;
    if (mine >= 0) {
      served++;
      if (++taken[mine] > W.free[mine]) return `证书不成立：派给第 ${mine + 1} 名社工的多于空闲名额。`;
      if (worth(r, mine) !== surplus + price[mine]) return `证书不成立：第 ${r + 1} 件所派的一对，价值与盈余 + 价格不相等。`;
    }
  }
  return `证书成立：逐一核对 ${pairs.toLocaleString("zh-CN")} 个可行配对（共 ${(Q.serving.length * W.x.length).toLocaleString("zh-CN")} 对），派出 ${served} 件，每一对都不超过、派出的恰好相等。按这些名额价格，任何别的派法在这个县都不会更好。`;
}

// Each press changes another number of the certificate by one: a price, a surplus, with whom a request is.
const served = Q.assigned.flatMap((w, r) => (w >= 0 && W.price[w] > 0 ? [r] : []));
const put = (column, at, value) => column.map((old, n) => (n === at ? value : old));
const forgeries = [
  (r) => [`把第 ${Q.assigned[r] + 1} 名社工的价格改小 1 分`, { price: put(W.price, Q.assigned[r], W.price[Q.assigned[r]] - 1) }],
  (r) => [`把第 ${r + 1} 件求助的盈余改大 1 分`, { surplus: put(Q.surplus, r, Q.surplus[r] + 1) }],
  (r) => [`把第 ${r + 1} 件求助改派给第 ${(Q.assigned[r] + 1) % W.x.length + 1} 名社工`, { assigned: put(Q.assigned, r, (Q.assigned[r] + 1) % W.x.length) }],
];
const written = { price: W.price, surplus: Q.surplus, assigned: Q.assigned };
let pressed = 0;

const say = (before, changed) => {
  const begun = performance.now(), said = verdict({ ...written, ...changed });
  document.getElementById("verdict").textContent = `${before}${said}（用时 ${Math.round(performance.now() - begun)} 毫秒）`;
};
document.getElementById("again").addEventListener("click", () => say("", {}));
document.getElementById("forge").addEventListener("click", () => {
  const [what, changed] = forgeries[pressed % forgeries.length](served[pressed % served.length]);
  pressed++;
  say(`${what}：`, changed);
});
say("", {});
