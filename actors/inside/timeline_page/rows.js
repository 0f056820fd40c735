// Which agents are rows, how high each is, and the list of their names. Only what is seen is in the document.
const SIZES = {
  tall: { band: 18, lane: 10, air: 8 },
  small: { band: 13, lane: 2, air: 5 },
  thin: { band: 1, lane: 0, air: 0 },
};
const SHORT_LIST = 60; // so many rows are tall, if nobody chose otherwise; of more all are seen at once
const sheet = document.getElementById("sheet");
const scroller = document.getElementById("rows");
const list = document.getElementById("labels");
const layout = { rows: [], tops: new Float64Array(1), rowOf: new Map(), size: SIZES.tall, total: 0 };
const drawn = new Map(); // place of an agent -> its element

function sizeName() {
  return view.size || (layout.rows.length <= SHORT_LIST ? "tall" : "thin");
}

/** Agents in the order of their rows: each followed by its children. */
function rowsOf() {
  if (view.path && AGENTS.count > SHORT_LIST) return pathRows();
  const rows = [];
  const todo = [...CHILDREN.get(-1)].reverse();
  while (todo.length) {
    const agent = todo.pop();
    if (isShown(agent)) rows.push(agent);
    if (view.shut.has(agent)) continue;
    const children = CHILDREN.get(agent) ?? [];
    for (let i = children.length - 1; i >= 0; i--) todo.push(children[i]);
  }
  return rows;
}

function pathRows() {
  return [...new Set(PATH.map((piece) => piece.agent).filter((agent) => agent >= 0))].sort((a, b) => AGENTS.begin[a] - AGENTS.begin[b] || a - b);
}

function isShown(agent) {
  if (view.ends.size && !view.ends.has(endOf(agent))) return false;
  return !view.only || !view.query || search.found.has(agent);
}

function layRows() {
  layout.rows = rowsOf();
  const size = (layout.size = SIZES[sizeName()]);
  const thin = Math.min(12, scroller.clientHeight / Math.max(1, layout.rows.length));
  layout.thin = size !== SIZES.thin ? 0 : thin < 0.65 ? 1 : thin; // much below a pixel a row is no row
  layout.tops = new Float64Array(layout.rows.length + 1);
  layout.rowOf = new Map();
  layout.rows.forEach((agent, row) => {
    layout.rowOf.set(agent, row);
    layout.tops[row + 1] = layout.tops[row] + heightOf(agent);
  });
  layout.total = layout.tops[layout.rows.length];
  sheet.style.height = `${Math.max(layout.total + 24 * !layout.thin, scroller.clientHeight)}px`;
  list.setAttribute("aria-rowcount", layout.rows.length);
  document.getElementById("empty").hidden = layout.rows.length > 0;
  for (const element of drawn.values()) element.remove();
  drawn.clear();
}

function heightOf(agent) {
  const { band, air } = layout.size;
  if (layout.thin) return layout.thin;
  return band + air + (hasLanes(agent) ? AGENTS.lanes[agent] * (laneHigh(agent) + 1) + 1 : 0);
}

/** Tool calls have lines of their own where there are several at once; a single one the band tells of. */
const hasLanes = (agent) => AGENTS.lanes[agent] > 1 && !layout.thin;
const laneHigh = (agent) => (AGENTS.lanes[agent] <= 3 ? layout.size.lane : Math.min(layout.size.lane, 4));

const bandOf = () => (layout.thin ? layout.thin - (layout.thin > 3 ? 1 : 0) : layout.size.band);
const bandTop = (row) => layout.tops[row] + (layout.thin ? 0 : layout.size.air / 2);

/** The row at a height of the sheet; -1 where there is none. */
function rowAt(y) {
  if (y < 0 || y >= layout.total) return -1;
  let low = 0, high = layout.rows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (layout.tops[middle] <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

function rowsInSight() {
  const first = Math.max(0, rowAt(scroller.scrollTop));
  const last = rowAt(scroller.scrollTop + scroller.clientHeight);
  return [layout.rows.length ? first : 0, last < 0 ? layout.rows.length - 1 : last];
}

function showLabels() {
  const [first, last] = rowsInSight();
  const wanted = namedRows(first, last);
  if (layout.rowOf.has(view.selected)) list.setAttribute("aria-activedescendant", `row-${AGENTS.id[view.selected]}`);
  else list.removeAttribute("aria-activedescendant");
  if (layout.rowOf.has(view.selected)) wanted.add(layout.rowOf.get(view.selected));
  const agents = new Set([...wanted].map((row) => layout.rows[row]));
  for (const [agent, element] of drawn) {
    if (agents.has(agent)) continue;
    element.remove();
    drawn.delete(agent);
  }
  for (const row of wanted) {
    const agent = layout.rows[row];
    if (!drawn.has(agent)) drawn.set(agent, list.appendChild(labelOf(agent, row)));
    markLabel(drawn.get(agent), agent);
  }
}

const rankOf = (agent) => depthOf(agent) + (view.query && !search.found.has(agent) ? 1_000 : 0);

/** The rows whose names are written: in thin rows one of several, what was searched for before others, then parents. */
function namedRows(first, last) {
  const wanted = new Set();
  const step = layout.thin ? Math.ceil(13 / layout.thin) : 1;
  for (let block = first - (first % step); block <= last; block += step) {
    let best = block;
    for (let row = block; row < Math.min(block + step, layout.rows.length); row++) {
      if (rankOf(layout.rows[row]) < rankOf(layout.rows[best])) best = row;
    }
    wanted.add(best);
  }
  return wanted;
}

function markLabel(element, agent) {
  element.setAttribute("aria-selected", agent === view.selected);
  element.classList.toggle("over", agent === view.hover);
  element.classList.toggle("dim", isDim(agent));
  element.classList.toggle("found", Boolean(view.query) && search.found.has(agent));
}

function labelOf(agent, row) {
  const end = endOf(agent);
  const children = CHILDREN.get(agent) ?? [];
  const level = Math.min(depthOf(agent), 8);
  const element = make("div", { role: "row", class: `label ${sizeName()}`, "aria-rowindex": row + 1, "aria-level": level + 1, id: `row-${AGENTS.id[agent]}` });
  element.dataset.agentId = AGENTS.id[agent];
  const block = layout.thin ? Math.ceil(13 / layout.thin) : 1; // a name stands at the head of those for which it stands
  element.style.top = `${layout.tops[row - (row % block)]}px`;
  element.style.height = `${Math.max(heightOf(agent), layout.thin ? 13 : 0)}px`;
  element.style.setProperty("--level", level);
  if (layout.thin) element.style.lineHeight = "13px";
  const cell = make("div", { role: "gridcell", class: "cell" });
  if (children.length) {
    const shut = view.shut.has(agent);
    element.setAttribute("aria-expanded", !shut);
    cell.append(make("button", { class: "twist quiet", type: "button", tabindex: -1, "aria-label": `${shut ? "Show" : "Hide"} ${many(children.length, "child").replace("childs", "children")}` }, shut ? "\u25b8" : "\u25be"));
  } else cell.append(make("span", { class: "twist" }));
  cell.append(make("span", { class: "sign", "data-end": end, title: worded(end) }, signOf(end)));
  cell.append(make("span", { class: "name cut", dir: "auto" }, oneLine(nameOf(agent))));
  const key = textAt(AGENTS.key[agent]);
  if (key) cell.append(make("span", { class: "key soft cut", dir: "auto" }, oneLine(key)));
  cell.append(make("span", { class: "visually-hidden" }, worded(end)));
  cell.append(make("span", { class: "took soft number" }, lasting(AGENTS.end[agent] - AGENTS.begin[agent])));
  element.append(cell);
  element.title = `${oneLine(nameOf(agent), 300)}${key ? ` (${oneLine(key, 300)})` : ""}`;
  return element;
}

/** An element with attributes and texts; nothing is ever read as markup. */
function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

/** Scroll so that a row can be seen. */
function showRow(agent) {
  const row = layout.rowOf.get(agent);
  if (row === undefined) return;
  const top = layout.tops[row], bottom = layout.tops[row + 1], height = scroller.clientHeight;
  if (top < scroller.scrollTop + 4 || bottom > scroller.scrollTop + height - 4) {
    scroller.scrollTop = Math.max(0, (top + bottom) / 2 - height / 2);
  }
}

function isDim(agent) {
  if (view.path && AGENTS.count <= SHORT_LIST) return !onPath.has(agent);
  return Boolean(view.query) && !search.found.has(agent);
}
const onPath = new Map(); // place of an agent -> its pieces of the critical path
for (const piece of PATH) onPath.set(piece.agent, [...(onPath.get(piece.agent) ?? []), piece]);
