/* The head: which pool, how it goes, how many agents are at what. */

const MINUTES = 5;

class Figure {
  constructor(id, title, sparkLabel) {
    this.value = make("b", { class: "value" });
    this.more = make("span", { class: "soft more-text" });
    this.rate = make("span", { class: "soft rate" });
    this.spark = sparkLabel ? new Spark(sparkLabel) : null;
    this.node = make("div", { class: "figure", id: `figure-${id}` },
      make("h3", { class: "line" }, title, this.rate), make("div", { class: "line" }, this.value, this.more), this.spark && this.spark.node);
  }
}

class Head {
  /** `filter` is told which states are wanted, `open` which agent. */
  constructor(filter, open) {
    this.open = open;
    this.wanted = new Set();
    this.slots = new Figure("slots", "Slots taken", "Slots taken over the last minutes");
    this.queue = new Figure("queue", "Queue", "Agents that queue, over the last minutes");
    this.ended = new Figure("ended", "Ended", "Agents that ended in a second, over the last minutes");
    this.tokens = new Figure("tokens", "Tokens", "Tokens in a second, over the last minutes");
    this.cost = new Figure("cost", "Cost", null);
    this.meter = make("span", { class: "fill" });
    this.slots.spark.node.before(make("div", { class: "meter" }, this.meter));
    this.calls = make("span", { class: "soft more-text" });
    this.cost.node.append(this.calls);
    byId("figures").append(...[this.slots, this.queue, this.ended, this.tokens, this.cost].map((one) => one.node));
    this.chips = new Map(STATES.map((one) => [one.state, this.chip(one, filter)]));
    this.parts = new Map(STATES.map((one) => [one.state, make("span", { class: "fill", "data-state": one.state, title: one.word })]));
    byId("states").append(...[...this.chips.values()].map((one) => one.node));
    byId("shares").append(...this.parts.values());
  }

  chip({ state, letter, word, means }, filter) {
    const number = make("span", { class: "count", text: "0" });
    const node = make("button", {
      type: "button", class: "chip", "data-filter": state, "aria-pressed": "false", title: `${word}: ${means}`,
      on: { click: () => {
        if (!this.wanted.delete(state)) this.wanted.add(state);
        this.press(this.wanted);
        filter(this.wanted);
      } },
    }, make("span", { class: "swatch", "data-state": state, text: letter, "aria-hidden": "true" }), word, number);
    return { node, number };
  }

  /** Show which states are wanted. */
  press(wanted) {
    this.wanted = new Set(wanted);
    for (const [state, { node }] of this.chips) mark(node, "aria-pressed", String(this.wanted.has(state)));
  }

  update(store, waits) {
    const { pool, figures, states, approvals } = store.state;
    say(byId("pool").firstChild, visible(pool.name, 80) || "pool");
    this.title = visible(pool.name, 60) || "pool";
    document.title = `${approvals.length ? `(${approvals.length}) ` : ""}${this.title}`;
    const phase = byId("phase");
    show(phase, true);
    say(phase, pool.phase);
    mark(phase, "data-phase", pool.phase);
    say(byId("where"), `process ${pool.pid}, actors ${visible(pool.version, 20)}, Python ${visible(pool.python, 20)}`);
    this.figures(store, store.state);
    const all = Object.values(states).reduce((sum, one) => sum + one, 0);
    show(byId("shares"), all > 0);
    for (const [state, { node, number }] of this.chips) {
      const here = states[state] || 0;
      say(number, count(here));
      node.classList.toggle("zero", here === 0);
      this.parts.get(state).style.width = `${all ? (here / all) * 100 : 0}%`;
    }
    byId("shares").setAttribute("aria-label", STATES.map((one) => `${one.word} ${states[one.state] || 0}`).join(", "));
    this.verdict(verdictOf(store, waits));
  }

  figures(store, state) {
    const { figures, pool } = state;
    const used = usedSlots(state);
    const woken = used < pool.slots ? 0 : stalled(state);
    say(this.slots.value, `${count(used)} / ${count(pool.slots)}`);
    say(this.slots.more, [figures.parked ? `${count(figures.parked)} parked` : "", woken ? `${count(woken)} woken, in line` : ""].filter(Boolean).join(", "));
    this.meter.style.width = `${Math.min(100, (used / Math.max(1, pool.slots)) * 100)}%`;
    say(this.queue.value, count(figures.queued));
    say(this.queue.more, `${count(figures.outstanding)} owed`);
    const ended = Object.entries(figures.ended).filter(([, number]) => number);
    say(this.ended.value, count(ended.reduce((sum, [, number]) => sum + number, 0)));
    const others = ended.filter(([status]) => status !== "completed").sort(([one], [other]) => ENDS.indexOf(one) - ENDS.indexOf(other));
    place(this.ended.more, others.length ? others.map(([status, number]) =>
      make("span", { "data-end": status, text: `${count(number)} ${visible(status, 20).replace("_", " ")} ` }))
      : [make("span", { text: ended.length ? "all completed" : "" })]);
    mark(this.ended.node, "title", ended.map(([status, number]) => `${count(number)} ${visible(status, 20).replace("_", " ")}`).join(", ") || null);
    say(this.tokens.value, brief(figures.input_tokens + figures.output_tokens));
    const tokens = store.perMinute("tokens");
    say(this.tokens.more, `${brief(figures.input_tokens)} in, ${brief(figures.output_tokens)} out`);
    say(this.tokens.rate, tokens === null ? "" : `${brief(Math.round(tokens))}/min`);
    say(this.cost.value, money(figures.cost_usd));
    const cost = store.perMinute("cost");
    say(this.cost.rate, cost === null ? "" : `${money(cost)}/min`);
    say(this.calls, [counted(figures.iterations, "turn"), counted(figures.tool_calls, "tool call"),
      figures.dead_letters ? counted(figures.dead_letters, "dead letter") : ""].filter(Boolean).join(", "));
    const seconds = MINUTES * 60;
    const seen = Math.min(seconds, Math.max(60, (store.at - store.history[0].at) / 1000));
    this.slots.spark.draw(store.line("used"), seen, pool.slots);
    this.queue.spark.draw(store.line("queued"), seen, 1);
    this.ended.spark.draw(store.rate("ended"), seen, 1);
    this.tokens.spark.draw(store.rate("tokens"), seen, 1);
  }

  /** The nodes stay, and their words change: a click that began on one ends on it. */
  verdict(said) {
    this.sentences = said.map(({ text, bad, warn, id }, index) => {
      const isLink = id !== undefined && id !== null;
      const old = this.sentences && this.sentences[index];
      const node = old && (old.tagName === "BUTTON") === isLink ? old : isLink
        ? make("button", { type: "button", on: { click: () => this.open(Number(node.dataset.open)) } }) : make("span");
      say(node, text);
      mark(node, "data-open", isLink && id);
      mark(node, "class", [isLink ? "link" : "", bad ? "bad" : warn ? "warn" : ""].join(" ").trim() || null);
      return node;
    });
    place(byId("verdict"), this.sentences);
  }

  /** Nothing is heard of the pool: what waited may be answered no more. */
  away() {
    document.title = `${this.title || "actors"} – not reached`;
  }

  tick(store, now) {
    if (!store.state) return;
    say(byId("uptime"), `up ${span(store.state.pool.seconds + (now - store.at) / 1000)}`);
  }
}
