/* The few things that are done to the document. Text goes in as text: nothing here reads markup. */

const byId = (id) => document.getElementById(id);

/** An element with `fields` (class, text, title, type, role, on, data-..., aria-...) and children. */
function make(tag, fields = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Write `text`, if it is another one: what does not change does not flicker, and stays selected. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function mark(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** Make the children of `parent` these, in this order; those that are there already are not moved needlessly. */
function place(parent, nodes) {
  let next = parent.firstChild;
  for (const node of nodes) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

/** A state as a square with its letter, or a word beside it. */
function badge(state) {
  const { letter, word, means } = stateOf(state);
  return make("span", { class: "badge", "data-state": state, title: means },
    make("b", { text: letter, "aria-hidden": "true" }), make("span", { text: word }));
}

const endBadge = (status) => make("span", { class: "badge", "data-end": status, text: visible(status, 20).replace("_", " ") });

/** Who an agent is: its name turns no other text round, however it is written. */
const named = (agent) => [make("bdi", { text: nameOf(agent) }), ` ${agent.id}`];

/** A button that opens the details of an agent. */
function opener(agent, open) {
  return make("button", { type: "button", class: "link", "data-open": agent.id, on: { click: () => open(agent.id) } }, ...named(agent));
}

/** A line of the last minutes in a box of its parent's size. */
class Spark {
  constructor(label) {
    const NS = "http://www.w3.org/2000/svg";
    this.node = document.createElementNS(NS, "svg");
    this.node.setAttribute("class", "spark");
    this.node.setAttribute("viewBox", "0 0 100 24");
    this.node.setAttribute("preserveAspectRatio", "none");
    this.node.setAttribute("role", "img");
    this.node.setAttribute("aria-label", label);
    this.area = this.node.appendChild(document.createElementNS(NS, "path"));
    this.line = this.node.appendChild(document.createElementNS(NS, "path"));
    this.area.setAttribute("class", "area");
    this.line.setAttribute("class", "line");
  }

  /** `points`: [seconds before now, value], oldest first; `top`: the value at the upper edge. */
  draw(points, seconds, top) {
    const most = Math.max(top || 0, ...points.map((point) => point[1]), 1e-9);
    const at = ([ago, value]) => `${(100 - (ago / seconds) * 100).toFixed(2)} ${(23 - (value / most) * 22).toFixed(2)}`;
    const kept = points.filter((point) => point[0] <= seconds);
    const path = kept.length > 1 ? `M${kept.map(at).join("L")}` : "";
    const [first, last] = [kept[0], kept[kept.length - 1]];
    this.line.setAttribute("d", path);
    this.area.setAttribute("d", path && `${path}L${at([last[0], 0])}L${at([first[0], 0])}Z`);
  }
}
