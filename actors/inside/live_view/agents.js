/* The table of agents: sorted, searched, filtered; its order is held while the pointer is over it. */

const ROWS = matchMedia("(max-width: 700px)").matches ? 50 : 500; // on a phone something comes below
const ROW_HEIGHT = 29;
const RESTS = 20000; // a pointer that has not moved for so long is not about to click

class Agents {
  constructor(open, changed) {
    this.open = open;
    this.changed = changed;
    this.rows = new Map();
    this.order = [];
    this.selected = null;
    this.most = ROWS;
    byId("more").querySelector("button").textContent = `Show ${ROWS} more`;
    this.sort = { key: "since", way: 1 };
    this.text = "";
    this.group = "";
    this.states = new Set();
    this.isTree = false;
    this.pointed = -Infinity;
    this.table = byId("agents");
    this.body = this.table.tBodies[0];
    this.scroller = byId("rows");
    this.seen = 0;
    new ResizeObserver(([box]) => { this.seen = box.contentRect.height; }).observe(this.scroller);
    this.scroller.addEventListener("scroll", () => this.tick(performance.now()), { passive: true });
    this.head();
    this.listen();
  }

  head() {
    const cells = COLUMNS.map(({ key, title, isNumber, means }) => make("th", { class: `${key}${isNumber ? " number" : ""}`, "data-sort": key, scope: "col", role: "columnheader" },
      make("button", { type: "button", class: "quiet sort", text: title, title: means || null, on: { click: () => this.sortBy(key) } })));
    this.table.tHead.append(make("tr", { role: "row" }, ...cells));
    byId("sort").append(...COLUMNS.map(({ key, title }) => make("option", { value: key, text: `by ${title.toLowerCase()}` })));
    byId("sort").addEventListener("change", (event) => this.sortBy(event.target.value));
  }

  listen() {
    const point = (event) => { if (event.pointerType === "mouse") this.pointed = performance.now(); };
    this.body.addEventListener("pointermove", point);
    this.body.addEventListener("pointerdown", () => { this.pointed = performance.now(); });
    this.body.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.pointed = -Infinity; });
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-agent-id]");
      if (row) this.choose(Number(row.dataset.agentId), true);
    });
    byId("search").addEventListener("input", (event) => this.narrow({ text: event.target.value }));
    byId("group").addEventListener("change", (event) => this.narrow({ group: event.target.value }));
    byId("tree").addEventListener("click", () => this.narrow({ isTree: !this.isTree }));
    byId("clear").addEventListener("click", () => this.narrow({ text: "", group: "", states: new Set() }));
    byId("more").querySelector("button").addEventListener("click", () => { this.most += ROWS; this.redraw(); });
  }

  sortBy(key) {
    const column = COLUMNS.find((one) => one.key === key);
    if (!column) return;
    byId("more").querySelector("button").textContent = `Show ${ROWS} more`;
    this.sort = { key, way: this.sort.key === key ? -this.sort.way : column.first };
    this.narrow({});
  }

  /** Change what is shown, and draw it anew at once. */
  narrow(change) {
    Object.assign(this, change);
    this.most = ROWS;
    this.pointed = -Infinity;
    this.redraw();
    this.changed();
  }

  redraw() {
    this.controls();
    if (this.store && this.store.state) this.update(this.store, performance.now());
  }

  controls() {
    if (byId("search").value !== this.text) byId("search").value = this.text;
    mark(byId("tree"), "aria-pressed", String(this.isTree));
    show(byId("clear"), Boolean(this.text || this.group || this.states.size));
    byId("sort").value = this.sort.key;
    const { way } = this.sort;
    for (const cell of this.table.tHead.rows[0].cells) {
      const isIt = cell.dataset.sort === this.sort.key;
      // The moments of "since" and "age" rise where the seconds that are shown fall.
      const rises = ["since", "age"].includes(this.sort.key) ? way < 0 : way > 0;
      mark(cell, "aria-sort", isIt ? (rises ? "ascending" : "descending") : null);
    }
  }

  update(store, now) {
    this.store = store;
    this.groups(store);
    const wanted = this.wanted(store);
    const isHeld = now - this.pointed < RESTS;
    let listed = this.isTree ? nested(wanted) : wanted.map((agent) => ({ agent, depth: 0 }));
    if (isHeld) listed = this.held(listed, store);
    const shown = listed.slice(0, this.most);
    const longest = shown.reduce((most, { agent }) => Math.max(most, (now - agent.since) / 1000), 0);
    const kept = new Map();
    for (const { agent, depth } of shown) {
      const row = this.rows.get(agent.id) || new Row(agent.id);
      row.update(agent, depth, store.ends.get(agent.id), !store.agents.has(agent.id), longest);
      kept.set(agent.id, row);
    }
    this.rows = kept;
    this.order = shown;
    place(this.body, [...kept.values()].map((row) => row.node));
    this.paintSelected();
    this.tick(now);
    this.foot(wanted.length, listed.length - shown.length, store, isHeld);
  }

  wanted(store) {
    const words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (agent) => (!this.states.size || this.states.has(agent.state))
      && (!this.group || JSON.stringify(agent.group) === this.group) && words.every((word) => textOf(agent).includes(word));
    const { of } = COLUMNS.find((one) => one.key === this.sort.key);
    const { way } = this.sort;
    return [...store.agents.values()].filter(fits).map((agent) => ({ agent, value: of(agent) }))
      .sort((one, other) => way * compare(one.value, other.value) || one.agent.id - other.agent.id).map((one) => one.agent);
  }

  /** As it was, those that have ended in their places, new ones below. */
  held(listed, store) {
    const now = new Map(listed.map((one) => [one.agent.id, one]));
    const kept = [];
    for (const { agent, depth } of this.order) {
      const known = now.get(agent.id);
      now.delete(agent.id);
      const old = known || { agent: store.find(agent.id), depth };
      if (old.agent) kept.push({ agent: old.agent, depth });
    }
    return [...kept, ...now.values()];
  }

  foot(found, over, store, isHeld) {
    const all = store.agents.size;
    const total = all + (store.state.left_off || 0);
    const isNarrow = found !== all;
    say(byId("shown"), `${isNarrow ? `${count(found)} of ` : ""}${count(total)}${isHeld ? " · order held" : ""}`);
    show(byId("none"), found === 0);
    say(byId("none"), all ? "No agent is like that now." : "No agent runs or queues now.");
    const hidden = Math.max(0, over) + (store.state.left_off || 0);
    show(byId("more"), hidden > 0);
    say(byId("more").querySelector("span"), `${count(hidden)} more: narrow them by search.`);
    show(byId("more").querySelector("button"), over > 0);
  }

  groups(store) {
    const found = new Map();
    for (const { group } of store.agents.values()) {
      if (group !== null && group !== undefined) found.set(JSON.stringify(group), visible(typeof group === "string" ? group : JSON.stringify(group), 40));
    }
    if (this.group && !found.has(this.group)) found.set(this.group, visible(this.group, 40));
    const key = [...found.keys()].sort().join();
    const select = byId("group");
    show(select, found.size > 0);
    if (key !== this.groupKey && document.activeElement !== select) {
      this.groupKey = key;
      const sorted = [...found].sort((one, other) => compare(one[1], other[1])).slice(0, 200);
      select.replaceChildren(make("option", { value: "", text: "all groups" }), ...sorted.map(([value, text]) => make("option", { value, text })));
    }
    if (select.value !== this.group) select.value = this.group;
  }

  /** Select it, and open its details if `isOpen`. */
  choose(id, isOpen) {
    this.selected = id;
    this.paintSelected();
    if (isOpen) this.open(id);
  }

  paintSelected() {
    let first = null;
    for (const [id, { node }] of this.rows) {
      first = first || node;
      const isIt = id === this.selected;
      mark(node, "aria-selected", String(isIt));
      mark(node, "tabindex", isIt ? "0" : "-1");
    }
    if (first && !this.rows.has(this.selected)) mark(first, "tabindex", "0");
  }

  /** Go `steps` rows down. */
  step(steps) {
    const ids = [...this.rows.keys()];
    if (!ids.length) return;
    const at = ids.indexOf(this.selected);
    const next = at < 0 ? (steps > 0 ? 0 : ids.length - 1) : Math.min(ids.length - 1, Math.max(0, at + steps));
    this.choose(ids[next], !byId("details").hidden);
    const { node } = this.rows.get(ids[next]);
    node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest" });
  }

  /** Only rows that are seen are written to: each one that is makes the browser lay the table out. */
  tick(now) {
    const first = this.rows.size <= 60 ? 0 : Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - 2;
    const last = this.rows.size <= 60 ? 60 : first + Math.ceil(this.seen / ROW_HEIGHT) + 4;
    for (const { agent } of this.order.slice(Math.max(0, first), last)) this.rows.get(agent.id).tick(now);
  }
}

const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

const textOf = (agent) => [agent.name, agent.id, agent.key, agent.state, stateOf(agent.state).word, agent.on, agent.group]
  .filter((part) => part !== null && part !== undefined).join("\n").toLowerCase();

/** Children below those that started them, each family in the order of `agents`. */
function nested(agents) {
  const here = new Set(agents.map((agent) => agent.id));
  const below = new Map();
  const roots = [];
  for (const agent of agents) {
    if (!here.has(agent.parent_id)) roots.push(agent);
    else if (below.has(agent.parent_id)) below.get(agent.parent_id).push(agent);
    else below.set(agent.parent_id, [agent]);
  }
  const listed = [];
  const path = roots.reverse().map((agent) => ({ agent, depth: 0 }));
  while (path.length) {
    const top = path.pop();
    listed.push(top);
    for (const child of (below.get(top.agent.id) || []).reverse()) path.push({ agent: child, depth: top.depth + 1 });
  }
  return listed;
}
