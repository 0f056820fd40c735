// Above the chart: whose run it is, how it ended, and where the time went.
const byId = (id) => document.getElementById(id);

function buildHead() {
  byId("name").textContent = oneLine(DATA.name, 200) || "pool";
  byId("name").title = oneLine(DATA.name, 300);
  const rest = DATA.rest?.count ?? 0, slots = DATA.slots.at(-1)?.[1];
  const facts = [
    [lasting(DATA.length), "took"], [whole(AGENTS.count + rest), AGENTS.count + rest === 1 ? "agent" : "agents"],
  ];
  if (slots) facts.push([whole(slots), slots === 1 ? "slot" : "slots"]);
  const sum = (column) => AGENTS[column].reduce((total, value) => total + value, DATA.rest?.[column] ?? 0);
  const [told, said, cost] = ["input_tokens", "output_tokens", "cost"].map(sum);
  if (told || said) facts.push([`${tokens(told)} in, ${tokens(said)} out`, "tokens"]);
  if (cost) facts.push([money(cost), "cost"]);
  byId("facts").replaceChildren(...facts.map(([value, word]) => make("span", {}, make("b", {}, value), ` ${word}`)));
  if (DATA.began !== null) byId("when").textContent = new Date(DATA.began).toLocaleString([], { dateStyle: "medium", timeStyle: "medium", hour12: false });
  if (DATA.left_out) byId("when").append(` \u00b7 ${whole(DATA.left_out)} of the contents found no room`);
  buildEnds();
  buildWhy();
}

function buildEnds() {
  const counts = new Map();
  for (let a = 0; a < AGENTS.count; a++) counts.set(endOf(a), (counts.get(endOf(a)) ?? 0) + 1);
  const chips = [...ENDS, "open"].filter((end) => counts.has(end)).map((end) => {
    const chip = make("button", { class: "chip", type: "button", "aria-pressed": "false", title: `Only agents that are ${worded(end)}` },
      make("span", { "data-end": end, "aria-hidden": "true" }, signOf(end)), `${worded(end)} `, make("span", { class: "count" }, whole(counts.get(end))));
    chip.dataset.end = end;
    chip.addEventListener("click", () => look({ ends: toggled(view.ends, end) }));
    return chip;
  });
  byId("ends").replaceChildren(...chips);
  const rest = DATA.rest;
  if (rest?.count) {
    const ends = Object.entries(rest.ends).map(([end, count]) => `${whole(count)} ${worded(end)}`).join(", ");
    byId("ends").append(make("span", { class: "soft folded" }, `${many(rest.count, "agent")} that ended early ${rest.count === 1 ? "is" : "are"} only counted${ends ? `: ${ends}` : ""}`));
  }
}

function buildWhy() {
  byId("why-title").textContent = `Why it took ${lasting(DATA.length)}`;
  byId("sentences").replaceChildren(...SUMMARY.sentences.map(sentenceOf));
  const total = SUMMARY.seconds.reduce((sum, time) => sum + time, 0);
  byId("share").replaceChildren(...barParts(SUMMARY.seconds, total));
  byId("share").setAttribute("aria-label", SUMMARY.seconds.map((time, state) => [time, state]).filter(([time]) => time).map(([time, state]) => `${STATE_WORDS[STATES[state]]} ${percent(time / total)}`).join(", "));
  byId("legend").replaceChildren(...STATES.map((state, place) => legendOf(state, place, total)));
  buildLongest();
  byId("path").disabled = !PATH.length;
  byId("messages").disabled = !MESSAGES.all.some((message) => message.read >= 0);
  byId("share").title = total ? `${lasting(total)}: the time of all agents together` : "";
  sayOverview();
}

/** A sentence, and a button that shows the place of which it speaks. */
function sentenceOf(sentence, number) {
  const [id, state, begin, end] = SUMMARY.places[number] ?? [0];
  const agent = PLACES.get(id);
  const item = make("li", { dir: "auto" }, sentence);
  if (agent === undefined) return item;
  const button = make("button", { type: "button", class: "link", title: `Show ${oneLine(nameOf(agent), 60)} #${id} there`, "aria-label": `Show it: ${oneLine(nameOf(agent), 60)} #${id}` }, "show\u00a0it");
  button.dataset.place = id;
  button.addEventListener("click", () => {
    goTo(agent);
    if (state >= 0) look({ span: spanNear(agent, state, begin, end) });
    lookAround(begin, end);
  });
  item.append(" ", button);
  return item;
}

/** The stretch of an agent that fits best; -1 where there is none. */
function spanNear(agent, state, begin, end) {
  const [first, last] = spansOf(agent);
  let best = -1, least = Infinity;
  for (let s = first; s < last; s++) {
    const off = Math.abs(SPANS.begin[s] - begin) + Math.abs(SPANS.end[s] - end);
    if (SPANS.state[s] === state && off <= least && SPANS.begin[s] < end && SPANS.end[s] > begin) [best, least] = [s, off];
  }
  return best;
}

function sayOverview() {
  const words = [];
  const slots = DATA.slots.at(-1)?.[1];
  if (DATA.load.length) {
    const more = !SUMMARY.full ? " on average" : ` on average, all for ${percent(SUMMARY.full)} of the time`;
    words.push(["used", "slots used", slots ? `: ${figures(SUMMARY.mean_used)} of ${whole(slots)}` : "", slots ? more : ""]);
  }
  if (mostQueued >= 1) words.push(["waits", "queue", `: up to ${whole(mostQueued)}`, " agents"]);
  byId("overview-words").replaceChildren(...words.map(([kind, word, figure, more]) => make("li", { class: kind }, word, figure, make("span", { class: "more" }, more))));
}

/** The parts of a bar, each as wide as its share; an order in which waiting stands first. */
const BAR_ORDER = ["queued", "running", "in_driver", "in_tool", "parked", "in_backoff", "restarting"];
function barParts(times, total) {
  return BAR_ORDER.map((name) => [name, times[STATES.indexOf(name)]]).filter(([, time]) => time > 0).map(([name, time]) => {
    const part = make("span", { class: "fill", "data-state": name, title: `${STATE_WORDS[name]}: ${lasting(time)}, ${percent(time / total)}` });
    part.style.width = `${(time / total) * 100}%`;
    if (time / total > 0.08) part.append(make("span", { class: "share-word" }, `${STATE_WORDS[name]} ${percent(time / total)}`));
    return part;
  });
}

function legendOf(state, place, total) {
  const time = SUMMARY.seconds[place];
  const chip = make("button", { class: "chip", type: "button", "aria-pressed": "true", title: `${STATE_HINTS[state]}. Press to dim it` },
    make("span", { class: "swatch", "data-state": state, "aria-hidden": "true" }, STATE_LETTERS[state]),
    STATE_WORDS[state], make("span", { class: "soft" }, time ? percent(time / total) : "\u2013"));
  chip.dataset.state = state;
  chip.addEventListener("click", () => look({ dimmed: toggled(view.dimmed, place) }));
  return chip;
}

function buildLongest() {
  const agents = SUMMARY.longest.map((id) => PLACES.get(id)).filter((agent) => agent !== undefined);
  const most = Math.max(1, ...agents.map((agent) => AGENTS.end[agent] - AGENTS.begin[agent]));
  byId("longest").replaceChildren(...agents.slice(0, 10).map((agent) => {
    const took = AGENTS.end[agent] - AGENTS.begin[agent], times = timesOf(agent);
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, ...barParts(times, Math.max(took, 1)));
    bar.style.width = `${Math.max((took / most) * 100, 2)}%`;
    for (const word of bar.querySelectorAll(".share-word")) word.remove();
    const button = make("button", { type: "button", class: "longest quiet" },
      make("span", { "data-end": endOf(agent), title: worded(endOf(agent)) }, signOf(endOf(agent))),
      make("span", { class: "cut name", dir: "auto" }, oneLine(nameOf(agent), 60), make("span", { class: "soft" }, ` ${oneLine(textAt(AGENTS.key[agent]) || `#${AGENTS.id[agent]}`, 40)}`)),
      make("span", { class: "track" }, bar), make("span", { class: "number soft" }, lasting(took)));
    button.dataset.agentId = AGENTS.id[agent];
    button.addEventListener("click", () => goTo(agent));
    return make("li", {}, button);
  }));
}

function refreshHead(changes) {
  if (changes.has("ends")) {
    for (const chip of byId("ends").querySelectorAll("button")) chip.setAttribute("aria-pressed", view.ends.has(chip.dataset.end));
  }
  if (changes.has("dimmed")) {
    for (const chip of byId("legend").querySelectorAll("button")) {
      const off = view.dimmed.has(STATES.indexOf(chip.dataset.state));
      chip.setAttribute("aria-pressed", !off);
      chip.classList.toggle("off", off);
    }
  }
  byId("path").setAttribute("aria-pressed", view.path);
  byId("messages").setAttribute("aria-pressed", view.arrows);
  byId("only").setAttribute("aria-pressed", view.only);
  byId("whole").disabled = view.from === WHOLE.from && view.to === WHOLE.to;
}
