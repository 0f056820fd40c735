/* Who is stuck on what, since when. */

const LISTED = 5;
const CHAINS = 3;

class Stuck {
  constructor(open) {
    this.open = open;
    this.body = byId("stuck-body");
    this.times = [];
    this.pointed = -Infinity;
    this.body.addEventListener("pointermove", () => { this.pointed = performance.now(); });
    this.body.addEventListener("pointerdown", () => { this.pointed = performance.now(); });
    this.body.addEventListener("pointerleave", () => { this.pointed = -Infinity; });
  }

  update(store, waits, now) {
    if (performance.now() - this.pointed < RESTS || this.body.contains(document.activeElement)) return; // about to be clicked
    const nodes = [];
    this.times = [];
    const agents = [...store.agents.values()];
    const lists = [
      ...waits.circles.slice(0, 3).map((circle) => this.circle(circle, store)),
      this.abandoned(store),
      this.waits(waits.blockers, store),
      this.list("Longest at one thing", agents.filter((agent) => !["parked", "queued"].includes(agent.state)), LISTED),
      this.list("Longest parked", agents.filter((agent) => agent.state === "parked"), LISTED),
    ];
    for (const list of lists) if (list) nodes.push(...list);
    if (!nodes.length) nodes.push(make("p", { class: "soft", text: "Nobody." }));
    this.body.replaceChildren(...nodes);
    this.tick(now);
  }

  list(title, agents, most) {
    if (!agents.length) return null;
    const sorted = agents.sort((one, other) => one.since - other.since).slice(0, most);
    return [make("h3", { text: title }), make("ul", { class: "stuck" }, ...sorted.map((agent) => make("li", {},
      this.swatch(agent.state), opener(agent, this.open),
      make("span", { class: "soft cut grow", text: agent.on ? visible(agent.on, 80) : stateOf(agent.state).word, title: visible(agent.on, 300) || null }),
      this.time(agent.since))))];
  }

  waits(blockers, store) {
    if (!blockers.length) return null;
    const rows = blockers.slice(0, CHAINS).map(({ label, held, chain }) => {
      const agent = store.find(idIn(label));
      const row = make("li", { class: "wait" }, this.chain(chain, store));
      if (held > chain.length - 1 || agent) {
        row.append(make("span", { class: "soft" }, held > 1 ? `holds up ${count(held)}` : "holds up 1", agent ? `, ${placeOf(agent)}` : ""));
      }
      return row;
    });
    const more = blockers.length - rows.length;
    return [make("h3", { text: "Who waits for whom" }), make("ul", { class: "stuck" }, ...rows),
      more > 0 ? make("p", { class: "soft", text: `and ${count(more)} more` }) : null].filter(Boolean);
  }

  /** writer 7 → editor 3; of a long chain the ends. */
  chain(chain, store) {
    const shown = chain.length > 5 ? [...chain.slice(0, 2), null, ...chain.slice(-2)] : chain;
    const line = make("span", { class: "chain" });
    shown.forEach((label, index) => {
      if (index) line.append(make("span", { class: "arrow", text: " → " }));
      line.append(label === null ? make("span", { class: "soft", text: `${count(chain.length - 4)} more` }) : this.labelled(label, store));
    });
    return line;
  }

  circle(circle, store) {
    const line = this.chain([...circle.slice(0, 8), circle[0]], store);
    return [make("h3", { class: "bad", text: "A circle: they wait for each other" }),
      make("ul", { class: "stuck" }, make("li", { class: "wait circle" }, line, make("span", { class: "bad", text: " ↺" })))];
  }

  abandoned(store) {
    const { abandoned } = store.state;
    if (!abandoned.length) return null;
    return [make("h3", { class: "bad", text: "Abandoned threads" }), make("ul", { class: "stuck" }, ...abandoned.slice(0, 20).map((one) => make("li", {},
      make("span", { class: "swatch", "data-end": "abandoned", text: "A" }),
      make("span", { class: "cut grow", text: visible(one.label, 80) + (one.on ? `, on ${visible(one.on, 60)}` : ""), title: visible(one.label, 200) }),
      this.time(store.at - one.seconds * 1000))))];
  }

  labelled(label, store) {
    const id = idIn(label);
    const agent = id === null ? null : store.find(id);
    if (!agent) return make("bdi", { text: visible(label, 60) });
    return make("span", { class: "who" }, store.agents.has(id) ? this.swatch(agent.state) : null, opener(agent, this.open));
  }

  swatch(state) {
    const { letter, word } = stateOf(state);
    return make("span", { class: "swatch", "data-state": state, text: letter, title: word });
  }

  time(since) {
    const node = make("span", { class: "number time" });
    this.times.push([node, since]);
    return node;
  }

  tick(now) {
    for (const [node, since] of this.times) say(node, span((now - since) / 1000));
  }
}
