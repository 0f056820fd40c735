/* What waits for a person. A card never moves under the pointer: one that is decided stays until the pointer has gone. */

const LINGERS = 2500;
const URGENT = 30;

class Approvals {
  constructor(open, decided) {
    this.open = open;
    this.decided = decided;
    this.cards = new Map();
    this.list = byId("approvals");
    this.isUnder = false;
    this.list.addEventListener("pointerenter", () => { this.isUnder = true; });
    this.list.addEventListener("pointerleave", () => { this.isUnder = false; });
  }

  update(store, now) {
    const { approvals, pool } = store.state;
    const open = new Set();
    for (const one of approvals) {
      const key = JSON.stringify([one.agent_id, one.call_id]);
      open.add(key);
      let card = this.cards.get(key);
      if (!card) {
        card = new ApprovalCard(one, pool.control, this.open, this.decided);
        this.cards.set(key, card);
        if (this.hasLooked) this.tell(one);
      }
      card.take(one, store.at);
    }
    if (!this.hasLooked && approvals.length) this.tell(approvals[0], approvals.length);
    this.hasLooked = true;
    const isHeld = this.isUnder || this.list.contains(document.activeElement);
    for (const [key, card] of this.cards) {
      if (open.has(key)) continue;
      card.close(now);
      if (!isHeld && now - card.closed > LINGERS) this.cards.delete(key);
    }
    place(this.list, [...this.cards.values()].map((card) => card.node));
    show(byId("needs"), this.cards.size > 0);
    this.explain(approvals, pool);
    this.tick(now);
  }

  explain(approvals, pool) {
    const how = byId("needs-how");
    const first = approvals[0];
    show(how, !pool.control && Boolean(first));
    if (first) {
      say(how, `This view only looks. Answer from the program: pool.approve(${first.agent_id}, ${JSON.stringify(visible(first.call_id, 60))}) `
        + "or pool.deny(…), or open the view with LiveView(pool, control=True).");
    }
    say(byId("needs-title"), approvals.length ? `Needs you: ${approvals.length}` : "Needs you: nothing any more");
  }

  /** Say it to those who do not see the page. */
  tell(one, all = 1) {
    say(byId("aloud"), `${labelOf({ name: one.agent, id: one.agent_id })} asks for approval of ${visible(one.tool, 60)}`
      + (all > 1 ? `, and ${all - 1} more` : ""));
  }

  tick(now) {
    for (const card of this.cards.values()) card.tick(now);
  }
}

class ApprovalCard {
  constructor(one, canDecide, open, decided) {
    this.one = one;
    this.decided = decided;
    this.closed = null;
    this.since = make("span", { class: "soft" });
    this.left = make("span", { class: "left", title: "What holds when nobody answers, and when" });
    this.said = make("span", { class: "said" });
    this.reason = make("input", { type: "text", placeholder: "Reason (the model is told)", "aria-label": "Reason", maxlength: 1000 });
    this.buttons = [
      make("button", { type: "button", class: "primary", text: "Approve", on: { click: () => this.decide("approve") } }),
      make("button", { type: "button", class: "danger", text: "Deny", on: { click: () => this.decide("deny") } }),
    ];
    this.reason.addEventListener("keydown", (event) => event.key === "Enter" && this.decide("deny"));
    const who = opener({ name: one.agent, id: one.agent_id }, open);
    const input = make("pre", { class: "input", tabindex: 0, "aria-label": "Arguments" });
    input.textContent = readable(one.input);
    this.node = make("li", { class: "card approval", "data-agent-id": one.agent_id, "data-call-id": one.call_id },
      make("div", { class: "asked" }, make("b", { class: "mono", text: visible(one.tool, 80) }), "asked by", who, this.since,
        one.in_doubt && make("span", { class: "badge doubt", text: "in doubt", title: "It was begun before and interrupted: it may have been done already" }),
        this.left),
      input,
      make("div", { class: "answer" }, ...(canDecide ? [this.buttons[0], this.reason, this.buttons[1]] : []), this.said));
  }

  take(one, at) {
    this.one = one;
    this.began = at - one.seconds * 1000;
    this.ends = one.left === null || one.left === undefined ? null : at + one.left * 1000;
  }

  tick(now) {
    if (this.closed !== null) return;
    say(this.since, `since ${span((now - this.began) / 1000)}`);
    const left = this.ends === null ? null : (this.ends - now) / 1000;
    say(this.left, left === null ? "waits for ever" : `${this.one.default === "approve" ? "approved" : "denied"} in ${span(left)}`);
    this.left.classList.toggle("bad", left !== null && left < URGENT);
  }

  /** It waits no more: answered here, elsewhere, or by its time. */
  close(now) {
    if (this.closed !== null) return;
    this.closed = now;
    this.node.classList.add("over");
    this.lock(true);
    say(this.left, "");
    if (!this.said.textContent) say(this.said, "It is decided, or waits no more.");
  }

  lock(isLocked) {
    for (const one of [...this.buttons, this.reason]) one.disabled = isLocked;
  }

  async decide(way) {
    this.lock(true);
    say(this.said, way === "approve" ? "Approving…" : "Denying…");
    const body = { agent_id: this.one.agent_id, call_id: this.one.call_id };
    if (way === "deny") body.reason = this.reason.value;
    try {
      const { done } = await ask(`/${way}`, body);
      const words = way === "approve" ? "Approved." : "Denied.";
      say(this.said, done ? words : "Too late: it was decided before.");
      this.node.classList.add(done ? way : "late");
    } catch (error) {
      say(this.said, `Not answered: ${error.message}.`);
      if (this.closed === null) this.lock(false);
    }
    this.decided();
  }
}

/** Each argument on a line of its own, where the JSON is whole; else as it came. */
function readable(text) {
  const whole = String(text === null || text === undefined ? "" : text);
  try {
    const entries = Object.entries(JSON.parse(whole));
    return block(entries.map(([name, value]) => `${name}: ${JSON.stringify(value, null, 2)}`).join("\n"), 4000);
  } catch {
    return block(whole, 4000);
  }
}
