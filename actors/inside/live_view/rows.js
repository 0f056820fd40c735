/* One agent as one row of the table. */

const COLUMNS = [
  { key: "name", title: "Agent", first: 1, of: (agent) => nameOf(agent).toLowerCase() },
  { key: "state", title: "State", first: 1, of: (agent) => STATES.findIndex((one) => one.state === agent.state) },
  { key: "on", title: "On", first: 1, of: (agent) => (agent.on || "\uffff").toLowerCase() },
  { key: "since", title: "Since", first: 1, of: (agent) => agent.since, isNumber: true, means: "How long it is in this state" },
  { key: "age", title: "Age", first: 1, of: (agent) => agent.born, isNumber: true, means: "How long ago it was admitted" },
  { key: "tokens", title: "Tokens", first: -1, of: (agent) => tokensOf(agent), isNumber: true },
  { key: "cost", title: "Cost", first: -1, of: (agent) => agent.cost_usd || 0, isNumber: true },
  { key: "inbox", title: "Inbox", first: -1, of: (agent) => agent.inbox || 0, isNumber: true, means: "Messages that it has not read" },
];

const tokensOf = (agent) => (agent.input_tokens || 0) + (agent.output_tokens || 0);

class Row {
  constructor(id) {
    this.id = id;
    this.name = make("bdi", { class: "name" });
    this.sub = make("span", { class: "soft sub" });
    this.under = make("span", { class: "under", "aria-hidden": "true" });
    this.cells = Object.fromEntries(COLUMNS.map(({ key, isNumber }) =>
      [key, make("td", { class: `${key}${isNumber ? " number" : ""}`, role: "cell" })]));
    this.cells.name.append(this.under, this.name, " ", this.sub);
    this.heat = make("span", { class: "heat" });
    this.since = make("span");
    this.cells.since.append(this.heat, this.since);
    this.node = make("tr", { "data-agent-id": id, role: "row", tabindex: -1, "aria-selected": "false" }, ...Object.values(this.cells));
  }

  /** `depth`: how far it is indented; `end`: its agent_ended when it is no more. */
  update(agent, depth, end, isGone, longest) {
    this.agent = agent;
    this.isGone = isGone;
    say(this.name, nameOf(agent));
    say(this.sub, [String(agent.id), agent.key ? visible(agent.key, 40) : ""].filter(Boolean).join(" · "));
    this.under.style.width = `${Math.min(depth, 12) * 14}px`;
    this.node.classList.toggle("child", depth > 0);
    this.node.classList.toggle("gone", isGone);
    const state = isGone ? `end:${end ? end.status : ""}` : agent.state;
    if (state !== this.state) {
      this.state = state;
      this.cells.state.replaceChildren(isGone ? (end ? endBadge(end.status) : make("span", { class: "soft", text: "ended" })) : badge(agent.state));
      mark(this.heat, "data-state", isGone ? null : agent.state);
    }
    say(this.cells.on, isGone ? visible(end && end.error, 200) : visible(agent.on, 200));
    mark(this.cells.on, "title", this.cells.on.textContent || null);
    say(this.cells.tokens, brief(tokensOf(agent)));
    say(this.cells.cost, agent.cost_usd ? money(agent.cost_usd) : "–");
    say(this.cells.inbox, agent.inbox ? count(agent.inbox) : "–");
    this.longest = Math.log1p(Math.max(10, longest));
    if (isGone) this.heat.style.transform = "scaleX(0)";
  }

  /** How long it is in its state: in words, and as a line, on a scale that shows seconds beside hours. */
  tick(now) {
    if (this.isGone) return;
    const heat = Math.min(1, Math.log1p(Math.max(0, now - this.agent.since) / 1000) / this.longest).toFixed(3);
    if (heat !== this.drawn) {
      this.drawn = heat;
      this.heat.style.transform = `scaleX(${heat})`;
    }
    say(this.since, span((now - this.agent.since) / 1000));
    say(this.cells.age, span((now - this.agent.born) / 1000));
  }
}
