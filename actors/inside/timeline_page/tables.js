// What details are made of: lists of facts, stretches, messages, contents.

/** Pairs of a word and a value (a text or an element); those without a value are left out. */
function factsOf(pairs) {
  const rows = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return make("dl", { class: "facts" }, ...rows.flatMap(([word, value]) => [make("dt", {}, word), make("dd", {}, value)]));
}

/** Text that may be long: the first lines, and a button for the rest. */
function longText(title, text, most = 600) {
  const block = make("pre", { class: "content", dir: "auto", tabindex: 0 }, text.length > most ? `${text.slice(0, most)}\u2026` : text);
  const section = make("section", {}, make("h3", {}, title), block);
  if (text.length > most) {
    const more = make("button", { type: "button", class: "link", "aria-expanded": "false" }, `more (${whole(text.length)} characters)`);
    more.addEventListener("click", () => {
      const open = more.getAttribute("aria-expanded") === "false";
      block.textContent = open ? text : `${text.slice(0, most)}\u2026`;
      more.textContent = open ? "less" : `more (${whole(text.length)} characters)`;
      more.setAttribute("aria-expanded", open);
    });
    section.append(more);
  }
  return section;
}

function agentLink(agent, word = `${oneLine(nameOf(agent), 60)} #${AGENTS.id[agent]}`) {
  const link = make("button", { type: "button", class: "link", dir: "auto" }, word);
  link.dataset.agentId = AGENTS.id[agent];
  link.addEventListener("click", () => goTo(agent));
  return link;
}

/** By its id: a link where it is drawn, words where it is not. */
function someone(id) {
  if (id === 0) return "the program";
  const agent = PLACES.get(id);
  return agent === undefined ? `#${id} (not drawn)` : agentLink(agent);
}

/** The first *most* of *items*, each by *show*, and a button that shows all. */
function firstOf(items, most, show, tag = "ul") {
  const box = make(tag, { class: "plain" }, ...items.slice(0, most).map(show));
  if (items.length <= most) return box;
  const more = make("button", { type: "button", class: "link" }, `show all ${whole(items.length)}`);
  more.addEventListener("click", () => {
    box.append(...items.slice(most, 5_000).map(show));
    more.remove();
  });
  return make("div", {}, box, more);
}

function swatchOf(state) {
  return make("span", { class: "swatch", "data-state": STATES[state], title: STATE_WORDS[STATES[state]] }, STATE_LETTERS[STATES[state]]);
}

function spanRow(span) {
  const button = make("button", { type: "button", class: "span-row quiet", "aria-pressed": view.span === span },
    swatchOf(SPANS.state[span]),
    make("span", { class: "cut", dir: "auto" }, (SPANS.error.has(span) ? "\u2715 " : "") + oneLine(spanTitle(span), 100)),
    make("span", { class: "soft number" }, moment(SPANS.begin[span], 1e3)), make("span", { class: "number" }, lasting(SPANS.end[span] - SPANS.begin[span])));
  button.dataset.span = span;
  if (SPANS.error.has(span)) button.classList.add("bad");
  button.addEventListener("click", () => {
    look({ span });
    if (SPANS.end[span] < view.from || SPANS.begin[span] > view.to) lookAround(SPANS.begin[span], SPANS.end[span]);
  });
  return make("li", {}, button);
}

function spanFacts(span) {
  const flags = SPANS.flags.get(span) ?? 0;
  return [
    ["from", `${moment(SPANS.begin[span], 1e3)}${clock(SPANS.begin[span]) ? ` (${clock(SPANS.begin[span])})` : ""}`],
    ["to", flags & IS_OPEN ? `${moment(SPANS.end[span], 1e3)}, still open` : moment(SPANS.end[span], 1e3)],
    ["attempt", SPANS.attempt.has(span) ? String(SPANS.attempt.get(span)) : ""],
    ["lane", SPANS.lane[span] > 0 ? String(SPANS.lane[span]) : ""],
    ["tokens", tokensOf(SPANS.input_tokens.get(span), SPANS.output_tokens.get(span))],
    ["cost", SPANS.cost.has(span) ? money(SPANS.cost.get(span)) : ""],
    ["known", flags & IS_RECALLED ? "from an earlier process; nothing was done for it now" : ""],
  ];
}

function tokensOf(input, output) {
  return input || output ? `${tokens(input ?? 0)} in, ${tokens(output ?? 0)} out` : "";
}
