// What is looked at: from when to when, which rows, what is chosen. All changes come through `look`.
const WHOLE = { from: 0, to: LENGTH * 1.03 };
const view = {
  ...WHOLE,
  selected: -1, // place of an agent
  span: -1,
  hover: -1,
  hoverSpan: -1,
  pointer: null, // {x, time} while it is over the chart
  measure: null, // {from, to}
  query: "",
  only: false, // rows that match, and no others
  ends: new Set(), // rows of agents that ended so; empty: all
  dimmed: new Set(), // states
  path: false,
  arrows: false,
  size: "", // "", or what was chosen of "tall", "small", "thin"
  shut: new Set(), // agents whose children are hidden
};
const LISTENERS = [];
const SHORTEST = 2; // microseconds that fill the chart at most

/** Be told of each change, once for all changes of a frame, with the names of what changed. */
function onLook(listener) {
  LISTENERS.push(listener);
}

let changed = null;
function look(changes) {
  const names = Object.keys(changes).filter((name) => view[name] !== changes[name]);
  if (!names.length) return;
  Object.assign(view, changes);
  if (changed === null) {
    changed = new Set();
    requestAnimationFrame(showNow);
  }
  names.forEach((name) => changed.add(name));
}

/** Tell of what changed before the next frame: for whoever goes on from what comes of it. */
function showNow() {
  if (changed === null) return;
  const now = changed;
  changed = null;
  for (const listener of LISTENERS) listener(now);
}

/** Look at another stretch of time: never past the ends by more than half of what is seen, never nothing. */
function lookAt(from, to) {
  const span = Math.min(Math.max(to - from, SHORTEST), WHOLE.to * 1.5);
  const middle = Math.min(Math.max((from + to) / 2, 0), LENGTH);
  let start = middle - span / 2;
  if ((from + to) / 2 === middle && to - from === span) start = from;
  look({ from: start, to: start + span });
}

function zoom(factor, at = (view.from + view.to) / 2) {
  const span = Math.min(Math.max((view.to - view.from) * factor, SHORTEST), WHOLE.to * 1.5);
  const share = (at - view.from) / (view.to - view.from);
  lookAt(at - share * span, at + (1 - share) * span);
}

/** By a share of what is seen. */
function pan(share) {
  const by = (view.to - view.from) * share;
  lookAt(view.from + by, view.to + by);
}

/** So that a stretch can be seen, with some air around it. */
function lookAround(begin, end) {
  const air = Math.max((end - begin) * 0.08, SHORTEST, LENGTH * 1e-6);
  lookAt(begin - air, end + air);
}

function toggled(set, member) {
  const other = new Set(set);
  if (!other.delete(member)) other.add(member);
  return other;
}

// The address keeps what is looked at, so that a link opens the same.
let ownHash = "";
function hashOfView() {
  const parts = new URLSearchParams();
  if (view.selected >= 0) parts.set("agent", AGENTS.id[view.selected]);
  if (view.from !== WHOLE.from || view.to !== WHOLE.to) {
    parts.set("from", Math.round(view.from));
    parts.set("to", Math.round(view.to));
  }
  if (view.query) parts.set("q", view.query.toWellFormed?.() ?? view.query);
  if (view.only) parts.set("only", 1);
  if (view.ends.size) parts.set("ends", [...view.ends].join());
  if (view.dimmed.size) parts.set("dim", [...view.dimmed].map((state) => STATES[state]).join());
  if (view.path) parts.set("path", 1);
  if (view.arrows) parts.set("messages", 1);
  if (view.size) parts.set("rows", view.size);
  return parts.toString();
}

function viewOfHash() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const number = (name, other) => (Number.isFinite(parseFloat(parts.get(name))) ? parseFloat(parts.get(name)) : other);
  const listed = (name) => (parts.get(name) ?? "").split(",").filter(Boolean);
  look({
    selected: PLACES.get(number("agent", NaN)) ?? -1,
    query: parts.get("q") ?? "",
    only: parts.has("only"),
    ends: new Set(listed("ends")),
    dimmed: new Set(listed("dim").map((name) => STATES.indexOf(name)).filter((state) => state >= 0)),
    path: parts.has("path") && PATH.length > 0,
    arrows: parts.has("messages"),
    size: ["tall", "small", "thin"].includes(parts.get("rows")) ? parts.get("rows") : "",
  });
  const from = number("from", WHOLE.from), to = number("to", WHOLE.to);
  if (to > from) lookAt(from, to);
  ownHash = parts.toString();
}

let hashTimer = 0;
function keepHash() {
  clearTimeout(hashTimer); // browsers refuse more than some changes a second
  hashTimer = setTimeout(() => {
    const hash = hashOfView();
    if (hash === ownHash) return;
    ownHash = hash;
    history.replaceState(null, "", `#${hash}`);
  }, 250);
}
