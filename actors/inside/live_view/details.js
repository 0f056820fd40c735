/* One agent: all that is known of it, its stack when it is asked for, and how to abort it. */

const ASKED_EVENTS = 100;
const THINKS = 400; // the button that aborts takes no click that was meant for the one before

class Details {
  constructor(open, closed) {
    this.open = open;
    this.closed = closed;
    this.id = null;
    this.panel = byId("details");
    this.title = make("h2", { id: "details-title", class: "cut grow" });
    this.state = make("span");
    this.fields = make("dl");
    this.tools = make("div");
    this.family = make("div");
    this.stackButton = make("button", { type: "button", text: "Show stack", on: { click: () => this.look(true) } });
    this.stackNote = make("span", { class: "soft" });
    this.stacks = make("div", { class: "stacks" });
    this.abort = new AbortStep(() => this.id);
    this.events = make("ol", { class: "feed-list" });
    const close = make("button", { type: "button", class: "quiet", text: "Close", title: "Close (Esc)", on: { click: () => this.close() } });
    this.panel.append(
      make("div", { class: "top" }, this.title, close), this.state, this.fields, this.tools, this.family,
      make("div", { class: "acts" }, this.stackButton, this.abort.node, this.stackNote), this.abort.step, this.stacks,
      make("h3", { text: "Its latest events" }), this.events);
  }

  /** Show the agent `id`. */
  to(id, store) {
    const isNew = id !== this.id;
    this.id = id;
    show(this.panel, true);
    document.body.classList.add("with-details");
    if (isNew) {
      this.own = [];
      this.answer = null;
      this.stacks.replaceChildren();
      say(this.stackNote, "");
      this.abort.reset();
      this.panel.scrollTop = 0;
    }
    this.update(store, performance.now());
    if (isNew && !store.hasEnded(id)) this.look(false);
  }

  close() {
    if (this.panel.hidden) return;
    this.id = null;
    show(this.panel, false);
    document.body.classList.remove("with-details");
    this.closed();
  }

  /** Ask for this one agent: its events, and its stack if `withStack`. */
  async look(withStack) {
    const { id } = this;
    if (withStack) say(this.stackNote, "Looking…");
    try {
      const answer = await ask(`/agent?id=${id}`);
      if (id !== this.id) return;
      this.answer = answer;
      this.own = answer.events || [];
      if (withStack) this.drawStacks(answer);
      say(this.stackNote, withStack ? `as of ${clock.format(new Date())}` : "");
    } catch (error) {
      if (id !== this.id) return;
      const hasEnded = error instanceof Refused && error.status === 404;
      if (hasEnded && error.said.ended) this.store.ends.set(id, error.said.ended);
      say(this.stackNote, hasEnded ? "It has ended." : withStack ? error.message : "");
    }
    if (this.store) this.update(this.store, performance.now());
  }

  drawStacks(answer) {
    const stacks = [[labelOf(answer), answer.stack], ...(answer.tools || []).map((tool) => [visible(tool.label, 80), tool.stack])];
    this.stacks.replaceChildren(...stacks.flatMap(([label, stack]) => [
      make("h3", { text: label }), make("pre", { tabindex: 0, "aria-label": `Stack of ${label}`, text: stack ? block(stack) : "No thread of its own now." })]));
    say(this.stackButton, "Show stack");
  }

  update(store, now) {
    this.store = store;
    if (this.id === null) return;
    const agent = store.agents.get(this.id) || (store.hasEnded(this.id) ? null : this.answer) || store.find(this.id);
    const end = store.ends.get(this.id);
    const isGone = store.hasEnded(this.id);
    this.agent = agent;
    const who = agent || { name: end && end.agent, id: this.id };
    if (this.title.textContent !== labelOf(who)) this.title.replaceChildren(...named(who));
    mark(this.title, "title", labelOf(who));
    this.drawState(agent, end, isGone);
    this.drawFields(agent, end, now, isGone);
    this.drawTools(isGone ? [] : (agent && agent.tools) || []);
    this.drawFamily(agent, end, store);
    this.stackButton.disabled = isGone;
    this.abort.update(store.state.pool.control, isGone);
    this.drawEvents(store);
  }

  drawState(agent, end, isGone) {
    const key = isGone ? `end ${end ? end.status : ""}` : `${agent && agent.state} ${agent && agent.on}`;
    if (key === this.stateKey) return;
    this.stateKey = key;
    const nodes = isGone
      ? [end ? endBadge(end.status) : make("span", { class: "badge", text: "ended" }),
        make("span", { class: end && end.error ? "bad" : "soft", text: end ? visible(end.error, 500) || "It has ended." : agent ? "It has ended; how was not seen here." : "It has ended, or there was none of that number." })]
      : agent ? [badge(agent.state), make("span", { text: agent.on ? visible(agent.on, 300) : stateOf(agent.state).means })] : [make("span", { class: "soft", text: "Looking…" })];
    this.state.replaceChildren(make("p", { class: "at" }, ...nodes));
  }

  drawFields(agent, end, now, isGone) {
    if (!agent) return place(this.fields, []);
    const age = ((isGone && agent.left ? agent.left : now) - agent.born) / 1000;
    const known = agent.born !== undefined;
    const rows = [
      !isGone && ["In this state", known ? span((now - agent.since) / 1000) : span(agent.seconds)],
      [isGone ? "Lived" : "Age", known ? span(age) : span(agent.age)],
      agent.key && ["Key", visible(agent.key, 200)],
      agent.group !== null && agent.group !== undefined && ["Group", visible(typeof agent.group === "string" ? agent.group : JSON.stringify(agent.group), 200)],
      ["Tokens", `${count(agent.input_tokens)} in, ${count(agent.output_tokens)} out`],
      ["Cost", money(agent.cost_usd)],
      ["Inbox", agent.inbox ? `${count(agent.inbox)} unread` : "empty"],
      agent.node && ["Node", `${visible(agent.node, 80)} (its stack is there)`],
      agent.restarts > 0 && ["Restarts", count(agent.restarts)],
      agent.depth > 0 && ["Depth", count(agent.depth)],
      !isGone && agent.waits_for && agent.waits_for.length > 0 && ["Waits for", agent.waits_for.slice(0, 10).map((label) => visible(label, 80)).join(", ")],
    ].filter(Boolean);
    const nodes = rows.flatMap(([title]) => [...(this.known(title))]);
    rows.forEach(([, text], index) => say(nodes[index * 2 + 1], text));
    return place(this.fields, nodes);
  }

  known(title) {
    this.terms = this.terms || new Map();
    if (!this.terms.has(title)) this.terms.set(title, [make("dt", { text: title }), make("dd")]);
    return this.terms.get(title);
  }

  drawTools(tools) {
    this.tools.replaceChildren(...(tools.length ? [make("h3", { text: "Tools at work" }), make("ul", { class: "stuck" }, ...tools.slice(0, 50).map((tool) => make("li", {},
      make("span", { class: "swatch", "data-state": "in_tool", text: "T" }),
      make("span", { class: "cut grow", text: visible(tool.label, 80) + (tool.on ? `, on ${visible(tool.on, 80)}` : "") }),
      make("span", { class: "number", text: span(tool.seconds) }))))] : []));
  }

  drawFamily(agent, end, store) {
    const parent = agent ? agent.parent_id : end && end.parent_id;
    const children = [...store.agents.values()].filter((one) => one.parent_id === this.id).map((one) => one.id);
    const more = ((this.answer && this.answer.children) || []).filter((id) => !children.includes(id) && !store.hasEnded(id));
    const key = JSON.stringify([parent, children, more]);
    if (key === this.familyKey) return;
    this.familyKey = key;
    const link = (id) => opener(store.find(id) || { name: "agent", id }, this.open);
    const row = (title, ids) => make("p", { class: "family" }, make("span", { class: "soft", text: `${title} ` }),
      ...ids.slice(0, 30).map(link), ids.length > 30 ? make("span", { class: "soft", text: `and ${count(ids.length - 30)} more` }) : null);
    const all = [...children, ...more];
    this.family.replaceChildren(...[parent ? row("Started by", [parent]) : null, all.length ? row("Children", all) : null].filter(Boolean));
  }

  drawEvents(store) {
    const seen = new Map();
    for (const event of [...(this.own || []), ...store.events]) if (event.agent_id === this.id) seen.set(event.seq, event);
    const events = [...seen.values()].sort((one, other) => other.seq - one.seq).slice(0, ASKED_EVENTS);
    const key = `${this.id} ${events.length} ${events.length && events[0].seq}`;
    if (key === this.eventsKey) return;
    this.eventsKey = key;
    const lines = events.map((event) => eventLine(event, this.open));
    place(this.events, lines.length ? lines : [make("li", { class: "soft", text: "None was seen here." })]);
  }
}

/** Abort, in two steps. */
class AbortStep {
  constructor(idOf) {
    this.idOf = idOf;
    this.node = make("button", { type: "button", class: "danger", text: "Abort", hidden: true, on: { click: () => this.begin() } });
    this.reason = make("input", { type: "text", placeholder: "Reason", "aria-label": "Reason for the abort", maxlength: 1000 });
    this.sure = make("button", { type: "button", class: "danger sure", text: "Abort", on: { click: () => this.act() } });
    this.keep = make("button", { type: "button", text: "Keep it running", on: { click: () => this.reset() } });
    this.question = make("p");
    this.step = make("div", { class: "card sure-step", role: "group", "aria-label": "Abort this agent?", hidden: true }, this.question, this.reason,
      make("div", { class: "acts" }, this.keep, this.sure));
  }

  update(canAbort, isGone) {
    show(this.node, canAbort && !isGone && this.step.hidden);
    if (isGone) show(this.step, false);
  }

  reset() {
    show(this.step, false);
    this.reason.value = "";
    this.node.disabled = false;
    say(this.node, "Abort");
    show(this.node, true);
  }

  begin() {
    say(this.question, `Abort agent ${this.idOf()} and all that it has started?`);
    show(this.node, false);
    show(this.step, true);
    for (const one of [this.sure, this.keep, this.reason]) one.disabled = false;
    this.sure.disabled = true;
    setTimeout(() => { this.sure.disabled = false; }, THINKS);
    this.reason.focus();
    this.step.scrollIntoView({ block: "nearest" });
  }

  async act() {
    for (const one of [this.sure, this.keep, this.reason]) one.disabled = true;
    try {
      const { done } = await ask("/abort", { agent_id: this.idOf(), reason: this.reason.value });
      say(this.question, done ? "It was told to stop." : "It had ended before.");
    } catch (error) {
      say(this.question, `Not aborted: ${error.message}.`);
      this.keep.disabled = false;
      this.sure.disabled = false;
    }
  }
}
