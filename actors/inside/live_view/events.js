/* The latest events, newest first. Held while the pointer is over them. */

const SHOWN_EVENTS = 200;
const FAILS = (event) => event.event === "completion_failed" || event.event === "agent_restarted" || event.event === "agent_stalled"
  || (event.event === "agent_ended" && BAD_ENDS.has(event.status)) || (event.event === "tool_ended" && event.is_error === true);

/** What an event says beyond its kind. */
const TELLS = {
  agent_started: (event) => (event.key ? visible(event.key, 40) : ""),
  agent_queued: (event) => (event.key ? visible(event.key, 40) : ""),
  agent_parked: (event) => `on ${visible(event.on, 120)}`,
  agent_restarted: (event) => `attempt ${event.attempt}, after ${span(event.delay)}`,
  agent_stalled: (event) => `no progress for ${span(event.seconds)}${event.on ? `, on ${visible(event.on, 80)}` : ""}`,
  agent_ended: (event) => [event.recalled ? "recalled" : "", visible(event.error, 200)].filter(Boolean).join(", "),
  message_sent: (event) => `to ${event.to === 0 ? "the program" : `agent ${event.to}`}`,
  message_read: (event) => `from ${event.sender === 0 ? "the program" : `agent ${event.sender}`}`,
  completion_started: (event) => [visible(event.model, 60), event.attempt > 1 ? `attempt ${event.attempt}` : ""].filter(Boolean).join(", "),
  completion_finished: (event) => [visible(event.model, 60), `${brief(event.input_tokens)} in, ${brief(event.output_tokens)} out`,
    event.cost_usd ? money(event.cost_usd) : "", event.recalled ? "recalled" : ""].filter(Boolean).join(", "),
  completion_failed: (event) => `${visible(event.error, 200)}${event.delay === null || event.delay === undefined ? "" : `, again in ${span(event.delay)}`}`,
  limiter_waited: (event) => `for ${span(event.seconds)}`,
  tool_started: (event) => visible(event.tool, 80),
  tool_ended: (event) => `${visible(event.tool, 80)}, ${span(event.duration)}${event.is_error ? ", with an error" : ""}`,
  approval_requested: (event) => visible(event.tool, 80),
  approval_decided: (event) => `${visible(event.tool, 80)} ${event.approved ? "approved" : "denied"}`
    + `${event.by_default ? " by its time" : ""}${event.reason ? `: ${visible(event.reason, 100)}` : ""}`,
  budget_warned: (event) => visible(event.message, 200),
  handed_off: (event) => `${visible(event.source, 40)} → ${visible(event.target, 40)}`,
  context_trimmed: (event) => `${count(event.dropped)} messages, about ${brief(event.tokens)} tokens`,
  events_missed: (event) => count(event.count),
};

const kindOf = (event) => visible(event.event, 40).replaceAll("_", " ");
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const timeOf = (event) => {
  const at = new Date(event.at);
  return event.at && !Number.isNaN(at.getTime()) ? clock.format(at) : "";
};

function eventLine(event, open) {
  const tells = TELLS[event.event];
  const end = event.event === "agent_ended" ? visible(event.status, 20).replace("_", " ") : "";
  const who = event.agent_id
    ? opener({ name: event.agent, id: event.agent_id }, open)
    : make("span", { text: "pool" });
  return make("li", { class: FAILS(event) ? "fails" : "", "data-kind": event.event },
    make("time", { class: "soft", text: timeOf(event) }), who,
    make("b", { text: end || kindOf(event), "data-end": end && event.status }),
    make("span", { class: "tells", text: tells ? tells(event) : "" }));
}

class Feed {
  constructor(open) {
    this.open = open;
    this.list = byId("events");
    this.isUnder = false;
    this.kinds = new Set();
    this.kind = "";
    this.lines = new Map(); // by event, so that a line is made once
    this.list.addEventListener("pointerenter", () => { this.isUnder = true; });
    this.list.addEventListener("pointerleave", () => { this.isUnder = false; this.draw(); });
    byId("held").addEventListener("click", () => { this.draw(true); this.list.scrollTop = 0; });
    byId("kind").addEventListener("change", (event) => { this.kind = event.target.value; this.draw(true); });
    this.options();
  }

  options() {
    const kinds = [...this.kinds].sort();
    const listed = [["", "all"], ["!", "only failures"], ...kinds.map((kind) => [kind, kind.replaceAll("_", " ")])];
    byId("kind").replaceChildren(...listed.map(([value, text]) => make("option", { value, text: visible(text, 40) })));
    byId("kind").value = this.kind;
  }

  update(store) {
    this.store = store;
    const before = this.kinds.size;
    for (const event of store.events) if (this.kinds.size < 100) this.kinds.add(String(event.event));
    if (this.kinds.size !== before && document.activeElement !== byId("kind")) this.options();
    this.draw();
  }

  draw(isForced = false) {
    if (!this.store) return;
    const fits = (event) => !this.kind || (this.kind === "!" ? FAILS(event) : event.event === this.kind);
    const found = this.store.events.filter(fits).slice(-SHOWN_EVENTS).reverse();
    const isNew = found[0] !== this.newest;
    const isHeld = !isForced && (this.isUnder || this.list.scrollTop > 4) && this.list.children.length > 0;
    const unseen = isHeld ? found.findIndex((event) => event === this.newest) : 0;
    show(byId("held"), isHeld && isNew);
    say(byId("held"), `${unseen < 0 ? "many" : count(unseen)} new`);
    if (isHeld) return;
    this.newest = found[0];
    const lines = new Map();
    for (const event of found) lines.set(event, this.lines.get(event) || eventLine(event, this.open));
    this.lines = lines;
    const nodes = [...lines.values()];
    if (this.store.missed) nodes.push(make("li", { class: "soft", text: `${counted(this.store.missed, "earlier event")} not kept` }));
    if (!nodes.length) nodes.push(make("li", { class: "soft", text: this.kind ? "None of this kind." : "None yet." }));
    place(this.list, nodes);
  }
}
