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
function verdict({ price, surplus, assigned }) {
  const whole = (points) => Number.isSafeInteger(points) && points >= 0, count = (n) => n.toLocaleString("zh-CN");
  const taken = new Array(W.x.length).fill(0);
  let pairs = 0, served = 0, worthAll = 0, gained = 0, paid = 0;
  const below = price.findIndex((p) => !whole(p));
  if (below >= 0) return `证书不成立：第 ${below + 1} 名社工的价格不是不小于 0 的整数。`;
  for (let r = 0; r < Q.serving.length; r++) {
    const mine = assigned[r], gain = surplus[r];
    if (!whole(gain)) return `证书不成立：第 ${r + 1} 件求助的盈余不是不小于 0 的整数。`;
    for (let w = 0; w < W.x.length; w++) {
      const value = worth(r, w);
      if (value === null) continue;
      pairs++;
      if (!(value <= gain + price[w])) return `证书不成立：第 ${r + 1} 件求助与第 ${w + 1} 名社工这一对值 ${count(value)} 分，超过盈余 ${count(gain)} + 价格 ${count(price[w])}。`;
    }
    gained += gain;
    if (mine === -1) {
      if (gain !== 0) return `证书不成立：第 ${r + 1} 件没有派到，盈余却不是 0。`;
      continue;
    }
    if (!(mine in taken)) return `证书不成立：第 ${r + 1} 件派给了不存在的社工。`;
    const value = worth(r, mine);
    if (value === null) return `证书不成立：第 ${r + 1} 件所派的一对不合规则。`;
    if (++taken[mine] > W.free[mine]) return `证书不成立：派给第 ${mine + 1} 名社工的多于空闲名额。`;
    if (value !== gain + price[mine]) return `证书不成立：第 ${r + 1} 件所派的一对值 ${count(value)} 分，不等于盈余 ${count(gain)} + 价格 ${count(price[mine])}。`;
    served++;
    worthAll += value;
    paid += price[mine];
  }
  return `证书成立：逐一核对 ${count(pairs)} 个可行配对（共 ${count(Q.serving.length * W.x.length)} 对），派出 ${count(served)} 件，每一对都不超过、派出的恰好相等；所派各对共值 ${count(worthAll)} 分，等于盈余 ${count(gained)} 分加名额价格 ${count(paid)} 分。按这些名额价格，任何别的派法在这个县都不会更好。`;
}

// Each press changes another number of the certificate by one: a price, a surplus, with whom a request is.
const at = (asked) => Q.assigned.flatMap((w, r) => (asked(w) ? [r] : []));
const changed = [at((w) => W.price[w] > 0), at((w) => w >= 0), at(() => true)].find((some) => some.length);
const put = (column, place, value) => column.map((old, n) => (n === place ? value : old));
const forgeries = [
  (r) => [`把第 ${r + 1} 件求助的盈余改大 1 分`, { surplus: put(Q.surplus, r, Q.surplus[r] + 1) }],
  (r) => [`把第 ${Q.assigned[r] + 1} 名社工的价格改小 1 分`, { price: put(W.price, Q.assigned[r], W.price[Q.assigned[r]] - 1) }],
  (r) => [`把第 ${r + 1} 件求助改派给第 ${(Q.assigned[r] + 1) % W.x.length + 1} 名社工`, { assigned: put(Q.assigned, r, (Q.assigned[r] + 1) % W.x.length) }],
].slice(0, Q.assigned[changed[0]] < 0 ? 1 : W.x.length < 2 ? 2 : 3);
const written = { price: W.price, surplus: Q.surplus, assigned: Q.assigned };
let pressed = 0;

const say = (before, other) => {
  const begun = performance.now(), said = verdict({ ...written, ...other });
  document.getElementById("verdict").textContent = `${before}${said}（用时 ${Math.round(performance.now() - begun)} 毫秒）`;
};
document.getElementById("again").addEventListener("click", () => say("", {}));
document.getElementById("forge").addEventListener("click", () => {
  const [what, other] = forgeries[pressed % forgeries.length](changed[pressed % changed.length]);
  pressed++;
  say(`${what}：`, other);
});
say("", {});
