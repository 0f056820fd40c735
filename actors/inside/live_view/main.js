/* Puts the parts together: asks, draws, and keeps in the address what one looks at. */

const store = new Store();
const KEYS = [
  ["/", "search"], ["↑ ↓", "select an agent"], ["Enter", "its details"], ["Esc", "close, or clear the search"],
  ["t", "children under their parents"], ["Space", "hold the picture"], ["?", "this help"],
];

const open = (id) => {
  agents.choose(id, false);
  if (store.state) details.to(id, store);
  keep();
};
const details = new Details(open, () => keep());
const agents = new Agents(open, () => { head.press(agents.states); keep(); });
const head = new Head((wanted) => agents.narrow({ states: new Set(wanted) }), open);
const approvals = new Approvals(open, () => poller.soon());
const stuck = new Stuck(open);
const feed = new Feed(open);
const poller = new Poller(round, fails);
let trouble = null;

async function round() {
  const state = await ask("/state");
  store.take(state, performance.now());
  const events = await ask(`/events?after=${store.seen}`);
  store.takeEvents(events);
  trouble = null;
  draw();
}

function draw() {
  const now = performance.now();
  const waits = readWaits(store.state.waits);
  head.update(store, waits);
  approvals.update(store, now);
  agents.update(store, now);
  stuck.update(store, waits, now);
  drawActors(store);
  feed.update(store);
  if (wanted !== null) {
    const id = wanted;
    wanted = null;
    open(id);
  } else details.update(store, now);
  tick();
}

function fails(error) {
  const began = trouble ? trouble.began : performance.now();
  trouble = { error, began };
  head.away();
  tick();
}

/** Times go on between answers, by the page's own clock; while the pool does not answer they stand still. */
function tick() {
  const now = trouble || poller.isPaused ? store.at : performance.now();
  drawTrouble();
  if (!store.state) return;
  head.tick(store, now);
  approvals.tick(now);
  agents.tick(now);
  stuck.tick(now);
  const ago = (performance.now() - store.at) / 1000;
  say(byId("heard"), poller.isPaused ? `paused ${span(ago)} ago` : !trouble && ago < 2.5 ? "live" : `${span(ago)} ago`);
  mark(byId("heard"), "data-live", String(!poller.isPaused && !trouble && ago < 2.5));
}

function drawTrouble() {
  const line = byId("trouble");
  show(line, trouble !== null);
  document.body.classList.toggle("away", trouble !== null);
  if (!trouble) return undefined;
  const { error, began } = trouble;
  const since = `since ${span((performance.now() - began) / 1000)}`;
  const status = error instanceof Refused ? error.status : 0;
  const wasEnding = store.state && store.state.pool.phase !== "open";
  const texts = {
    401: "The token is wrong, or of an earlier view: open the address that the program printed last.",
    403: `The view refused: ${visible(error.message, 200)}. Open the address that the program printed last.`,
    410: "This process is a fork: the pool lives in its parent, and can be looked at there.",
    503: `The view is busy with others, ${since}.`,
  };
  if (!(error instanceof Refused || error instanceof Away)) return say(line, `This page has a fault: ${visible(error.message, 200)}`);
  const away = wasEnding ? `The pool has ended, ${since}.` : `The pool has ended or cannot be reached, ${since}.`;
  return say(line, texts[status] || (status ? `The view answers with an error, ${since}: ${visible(error.message, 200)}` : away)
    + (store.state ? " Below is the last that was seen." : ""));
}

/* Long-lived actors, where the pool has any. */
const ACTORS = [["Actor", (one) => visible(one.name, 60)], ["State", (one) => visible(one.state, 20)], ["Since", (one) => (one.seconds === null ? "–" : span(Math.abs(one.seconds)))],
  ["Inbox", (one) => count(one.inbox)], ["Restarts", (one) => count(one.restarts)]];
byId("actors").tHead.append(make("tr", {}, ...ACTORS.map(([title], index) => make("th", { scope: "col", class: index > 1 ? "number" : "", text: title }))));

function drawActors({ state }) {
  const listed = state.actors || [];
  show(byId("pool-actors"), listed.length > 0);
  byId("actors").tBodies[0].replaceChildren(...listed.slice(0, 200).map((one) => {
    const cells = ACTORS.map(([, of], index) => make("td", { class: index > 1 ? "number" : "", text: of(one) }));
    cells[0].style.paddingInlineStart = `${8 + Math.min(10, one.depth || 0) * 12}px`;
    if (one.kind && one.kind !== one.name) cells[0].append(make("span", { class: "soft", text: ` ${visible(one.kind, 40)}` }));
    if (one.count > 1) cells[0].append(make("span", { class: "soft", text: ` × ${count(one.count)}` }));
    return make("tr", {}, ...cells);
  }));
}

/* What one looks at stands in the address, so that a reload, or a link, shows the same. */
function keep() {
  const parts = new URLSearchParams();
  if (details.id !== null) parts.set("agent", details.id);
  if (agents.text) parts.set("search", agents.text);
  if (agents.group) parts.set("group", agents.group);
  if (agents.states.size) parts.set("states", [...agents.states].join());
  if (agents.sort.key !== "since" || agents.sort.way !== 1) parts.set("sort", `${agents.sort.key},${agents.sort.way}`);
  if (agents.isTree) parts.set("tree", "1");
  history.replaceState(null, "", `${location.pathname}${location.search}${parts.size ? `#${parts}` : ""}`);
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const [key, way] = (parts.get("sort") || "since,1").split(",");
  agents.text = parts.get("search") || "";
  agents.group = parts.get("group") || "";
  agents.states = new Set((parts.get("states") || "").split(",").filter((state) => STATE.has(state)));
  agents.isTree = parts.get("tree") === "1";
  if (COLUMNS.some((one) => one.key === key)) agents.sort = { key, way: way === "-1" ? -1 : 1 };
  head.press(agents.states);
  agents.controls();
  return /^\d{1,15}$/.test(parts.get("agent") || "") ? Number(parts.get("agent")) : null;
}

function pause() {
  poller.pause(!poller.isPaused);
  mark(byId("pause"), "aria-pressed", String(poller.isPaused));
  tick();
}

function help(isShown = byId("help").hidden) {
  show(byId("help"), isShown);
  mark(byId("ask-help"), "aria-expanded", String(isShown));
}

function turnTheme() {
  const root = document.documentElement;
  const isDark = (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
}

function escape() {
  if (!byId("help").hidden) help(false);
  else if (!byId("details").hidden) {
    details.close();
    const row = agents.rows.get(agents.selected);
    if (row) row.node.focus({ preventScroll: true });
  } else if (agents.text) agents.narrow({ text: "" });
  else if (document.activeElement) document.activeElement.blur();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !(event.target instanceof Element)) return;
  const isWriting = event.target.matches("input, textarea, select");
  if (event.key === "Escape") return escape();
  if (event.target.id === "search" && ["ArrowDown", "Enter"].includes(event.key)) {
    event.preventDefault();
    return agents.step(agents.rows.has(agents.selected) ? 0 : 1);
  }
  if (isWriting) return;
  const isPressing = event.target.matches("button, a, summary");
  const acts = {
    "/": () => byId("search").focus(), "?": () => help(), t: () => agents.narrow({ isTree: !agents.isTree }),
    ArrowDown: () => agents.step(1), ArrowUp: () => agents.step(-1), PageDown: () => agents.step(15), PageUp: () => agents.step(-15),
    Home: () => agents.step(-1e9), End: () => agents.step(1e9),
    ...(isPressing ? {} : { Enter: () => agents.selected !== null && open(agents.selected), " ": () => pause() }),
  };
  if (event.target.closest("#approvals, #details, #events") && event.key !== "/" && event.key !== "?") return;
  if (!Object.hasOwn(acts, event.key)) return;
  event.preventDefault();
  acts[event.key]();
});

byId("pause").addEventListener("click", pause);
byId("theme").addEventListener("click", turnTheme);
byId("ask-help").addEventListener("click", () => help());
byId("help").append(make("h2", { text: "Keys" }), make("dl", {}, ...KEYS.flatMap(([key, does]) =>
  [make("dt", {}, make("kbd", { text: key })), make("dd", { text: does })])));
let wanted = recall();
addEventListener("hashchange", () => {
  wanted = recall();
  if (store.state) draw();
});
setInterval(() => { if (!document.hidden) tick(); }, 250);
poller.soon();
