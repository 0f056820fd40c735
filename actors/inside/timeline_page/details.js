// What is told of the agent that is chosen, of one of its stretches, of the critical path; and what hovers.
const details = byId("details");
const tooltip = byId("tooltip");

function showDetails() {
  const agent = view.selected;
  const title = agent >= 0 ? "agent" : view.path ? "path" : "";
  details.hidden = !title;
  document.body.classList.toggle("with-details", Boolean(title));
  if (!title) return;
  const close = make("button", { type: "button", class: "quiet close", "aria-label": "Close" }, "\u2715");
  close.addEventListener("click", () => (agent >= 0 ? look({ selected: -1, span: -1 }) : look({ path: false })));
  details.scrollTop = 0;
  details.replaceChildren(close, ...(agent >= 0 ? agentDetails(agent) : pathDetails()));
}

function agentDetails(agent) {
  const end = endOf(agent), error = textAt(AGENTS.error[agent]);
  const head = make("header", {}, make("h2", { dir: "auto" }, oneLine(nameOf(agent), 300)),
    make("span", { class: "badge", "data-end": end }, `${signOf(end)} ${worded(end)}`));
  const parts = [head];
  if (error) parts.push(longText("Why", error, 400));
  const fit = make("button", { type: "button" }, "Zoom to it");
  fit.addEventListener("click", () => lookAround(AGENTS.begin[agent], AGENTS.end[agent]));
  if (view.span >= 0 && SPANS.agent[view.span] === agent) parts.push(spanDetails(view.span));
  parts.push(factsOf(agentFacts(agent)), fit, timesTable(agent));
  for (const [title, place] of [["Asked", AGENTS.input[agent]], ["Result", AGENTS.output[agent]]]) {
    if (place >= 0) parts.push(longText(title, textAt(place)));
  }
  parts.push(...listsOf(agent));
  return parts;
}

function agentFacts(agent) {
  const children = CHILDREN.get(agent) ?? [], flags = AGENTS.flags[agent], parent = AGENTS.parent[agent];
  return [
    ["id", `#${AGENTS.id[agent]}`],
    ["key", textAt(AGENTS.key[agent])],
    ["group", textAt(AGENTS.group[agent])],
    ["tag", textAt(AGENTS.tag[agent])],
    ["took", lasting(AGENTS.end[agent] - AGENTS.begin[agent])],
    ["from", `${flags & IS_CUT ? "before " : ""}${moment(AGENTS.begin[agent], 1e3)}${clock(AGENTS.begin[agent]) ? ` (${clock(AGENTS.begin[agent])})` : ""}`],
    ["to", `${moment(AGENTS.end[agent], 1e3)}${flags & IS_OPEN ? ", still open" : ""}`],
    ["restarts", AGENTS.restarts[agent] ? String(AGENTS.restarts[agent]) : ""],
    ["tokens", tokensOf(AGENTS.input_tokens[agent], AGENTS.output_tokens[agent])],
    ["cost", AGENTS.cost[agent] ? money(AGENTS.cost[agent]) : ""],
    ["known", flags & IS_RECALLED ? "from an earlier process" : ""],
    ["child of", parent > 0 ? someone(parent) : ""],
    ["children", children.length ? firstOf(children, 8, (child) => make("li", {}, agentLink(child))) : ""],
  ];
}

function timesTable(agent) {
  const times = timesOf(agent), total = times.reduce((sum, time) => sum + time, 0);
  if (!total) return "";
  const bar = make("div", { class: "bar" }, ...barParts(times, total));
  for (const word of bar.querySelectorAll(".share-word")) word.remove();
  const rows = BAR_ORDER.map((name) => STATES.indexOf(name)).filter((state) => times[state]).map((state) => make("tr", {},
    make("td", {}, swatchOf(state), ` ${STATE_WORDS[STATES[state]]}`), make("td", { class: "number" }, lasting(times[state])), make("td", { class: "number soft" }, percent(times[state] / total))));
  return make("section", {}, make("h3", {}, "Where its time went"), bar, make("table", {}, make("tbody", {}, ...rows)));
}

function spanDetails(span) {
  const card = make("section", { class: "card chosen", id: "slice" },
    make("h3", {}, swatchOf(SPANS.state[span]), ...stateWord(span), make("b", { dir: "auto" }, oneLine(spanTitle(span), 200)), ` ${lasting(SPANS.end[span] - SPANS.begin[span])}`),
    factsOf(spanFacts(span)));
  if (SPANS.error.has(span)) card.append(longText("Error", textAt(SPANS.error.get(span))));
  if (SPANS.input.has(span)) card.append(longText("Input", textAt(SPANS.input.get(span))));
  if (SPANS.output.has(span)) card.append(longText("Output", textAt(SPANS.output.get(span))));
  return card;
}

function listsOf(agent) {
  const parts = [], [first, last] = spansOf(agent);
  const isTold = (s) => SPANS.lane[s] >= 0 || SPANS.state[s] !== IN_TOOL || !AGENTS.lanes[agent]; // its calls tell of that
  const spans = Array.from({ length: last - first }, (_, i) => first + i).filter(isTold).sort((a, b) => SPANS.begin[a] - SPANS.begin[b] || SPANS.lane[a] - SPANS.lane[b]);
  if (spans.length) parts.push(make("section", {}, make("h3", {}, many(spans.length, "stretch").replace("stretchs", "stretches")), firstOf(spans, 60, spanRow)));
  const marks = MARKS.get(agent) ?? [];
  if (marks.length) {
    parts.push(make("section", {}, make("h3", {}, "Moments"), firstOf(marks, 30, ([, at, kind, text]) => make("li", {},
      make("span", { class: "soft number" }, moment(at, 1e3)), ` ${textAt(kind)} `, make("span", { class: "soft", dir: "auto" }, oneLine(textAt(text), 200))))));
  }
  const messages = (MESSAGES.of.get(agent) ?? []).map((place) => MESSAGES.all[place]);
  if (messages.length) {
    parts.push(make("section", {}, make("h3", {}, many(messages.length, "message")), firstOf(messages, 30, (message) => {
      const isSent = message.from === agent;
      return make("li", {}, make("span", { class: "soft number" }, moment(isSent ? message.sent : message.read, 1e3)), isSent ? " to " : " from ",
        someone(isSent ? message.receiver : message.sender), message.read < 0 ? make("span", { class: "soft" }, " never read") : make("span", { class: "soft" }, ` after ${lasting(message.read - message.sent)}`));
    })));
  }
  return parts;
}

function pathDetails() {
  const total = Math.max(1, PATH.reduce((sum, piece) => sum + piece.end - piece.begin, 0));
  const told = PATH.filter((piece) => (piece.end - piece.begin) / total >= 0.005);
  const rest = PATH.length - told.length, restTook = total - told.reduce((sum, piece) => sum + piece.end - piece.begin, 0);
  return [
    make("header", {}, make("h2", {}, "Critical path")),
    make("p", { class: "soft" }, "The chain of waits that ends with the last agent. What makes a piece of it shorter ends the run sooner."),
    rest ? make("p", { class: "soft" }, `${many(rest, "piece")} of under 0.5 % left out, ${lasting(restTook)} in all.`) : "",
    firstOf(told, 200, (piece) => {
      const took = piece.end - piece.begin, word = piece.state < 0 ? "own time" : STATE_WORDS[STATES[piece.state]];
      const row = make("button", { type: "button", class: "path-row quiet" }, piece.state < 0 ? make("span", { class: "swatch" }) : swatchOf(piece.state),
        make("span", { class: "cut", dir: "auto" }, make("b", {}, piece.agent < 0 ? (piece.id ? `#${piece.id}` : "the program") : oneLine(nameOf(piece.agent), 60)), ` ${oneLine(piece.agent < 0 ? word : piece.state === PARKED && piece.label ? `waits for ${awaited(piece.label)}` : piece.label || word, 60)}`),
        make("span", { class: "number" }, lasting(took)), make("span", { class: "number soft" }, percent(took / total)));
      row.addEventListener("click", () => {
        if (piece.agent >= 0) showRow(piece.agent);
        lookAround(piece.begin, piece.end);
      });
      return make("li", {}, row);
    }, "ol"),
  ];
}

/** The state as a word, where the title does not say it. */
function stateWord(span) {
  const word = STATE_WORDS[STATES[SPANS.state[span]]];
  return spanTitle(span).startsWith(word) ? [] : [make("span", { class: "soft" }, word)];
}

function showTooltip(x, y) {
  const agent = view.hover, span = view.hoverSpan;
  tooltip.hidden = agent < 0 || x === undefined;
  if (tooltip.hidden) return;
  const parts = [];
  if (span >= 0) {
    parts.push(make("div", { class: "tip-head" }, swatchOf(SPANS.state[span]), ...stateWord(span), make("b", { class: "cut", dir: "auto" }, oneLine(spanTitle(span), 80)), make("b", { class: "number" }, lasting(SPANS.end[span] - SPANS.begin[span]))));
    parts.push(factsOf([...spanFacts(span).filter(([word]) => word !== "lane"), ["error", SPANS.error.has(span) ? make("span", { class: "bad", dir: "auto" }, oneLine(textAt(SPANS.error.get(span)), 200)) : ""]]));
  }
  const end = endOf(agent), key = textAt(AGENTS.key[agent]);
  parts.push(make("div", { class: "tip-agent" }, make("span", { "data-end": end }, signOf(end)), make("b", { dir: "auto" }, ` ${oneLine(nameOf(agent), 80)}`), make("span", { class: "soft", dir: "auto" }, ` #${AGENTS.id[agent]}${key ? ` \u00b7 ${oneLine(key, 60)}` : ""} \u00b7 ${worded(end)} \u00b7 ${lasting(AGENTS.end[agent] - AGENTS.begin[agent])}`)));
  if (AGENTS.error[agent] >= 0) parts.push(make("div", { class: "bad", dir: "auto" }, oneLine(textAt(AGENTS.error[agent]), 200)));
  for (const [, at, kind, text] of MARKS.get(agent) ?? []) {
    if (Math.abs(scale.x(at) - scale.x(view.pointer?.time ?? NaN)) < 6) parts.push(make("div", {}, `\u25c6 ${textAt(kind)} `, make("span", { class: "soft" }, oneLine(textAt(text), 120))));
  }
  tooltip.replaceChildren(...parts);
  const { width, height } = tooltip.getBoundingClientRect();
  tooltip.style.left = `${Math.max(4, x + 14 + width > innerWidth ? x - width - 14 : x + 14)}px`;
  tooltip.style.top = `${Math.max(4, y + 18 + height > innerHeight ? y - height - 10 : y + 18)}px`;
}
