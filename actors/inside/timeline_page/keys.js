// Keys, anywhere but in a field; the same are told in the help.
const KEYS = {
  w: () => zoom(0.7), "+": () => zoom(0.7), "=": () => zoom(0.7),
  s: () => zoom(1 / 0.7), "-": () => zoom(1 / 0.7),
  a: () => pan(-0.2), ArrowLeft: () => pan(-0.2),
  d: () => pan(0.2), ArrowRight: () => pan(0.2),
  ArrowUp: () => nextRow(-1), ArrowDown: () => nextRow(1), k: () => nextRow(-1), j: () => nextRow(1),
  PageUp: () => (scroller.scrollTop -= scroller.clientHeight * 0.9),
  PageDown: () => (scroller.scrollTop += scroller.clientHeight * 0.9),
  Home: () => (scroller.scrollTop = 0), End: () => (scroller.scrollTop = layout.total),
  Enter: openDetails,
  "/": () => field.select(),
  n: () => nextMatch(1), p: () => nextMatch(-1), N: () => nextMatch(-1),
  f: fit, 0: () => look({ ...WHOLE, measure: null }),
  m: () => byId("messages").click(), c: () => byId("path").click(), r: nextSize, x: foldRow,
  "?": () => byId("help").showModal(),
  Escape: goBack,
};

function followKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if ((event.key === "Enter" || event.key === " ") && event.target.closest("button, a")) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function nextRow(by) {
  const row = layout.rowOf.get(view.selected) ?? (by > 0 ? rowsInSight()[0] - 1 : rowsInSight()[1] + 1);
  const next = layout.rows[Math.min(Math.max(row + by, 0), layout.rows.length - 1)];
  if (next !== undefined) look({ selected: next, span: -1 });
}

function openDetails() {
  if (view.selected < 0) return nextRow(1);
  details.focus();
}

/** What is chosen fills the chart; without a choice, all of it. */
function fit() {
  if (view.span >= 0) lookAround(SPANS.begin[view.span], SPANS.end[view.span]);
  else if (view.selected >= 0) lookAround(AGENTS.begin[view.selected], AGENTS.end[view.selected]);
  else look(WHOLE);
}

function nextSize() {
  const names = Object.keys(SIZES);
  look({ size: names[(names.indexOf(sizeName()) + 1) % names.length] });
}

function foldRow() {
  if (CHILDREN.has(view.selected)) look({ shut: toggled(view.shut, view.selected) });
}

function goBack() {
  if (view.measure) look({ measure: null });
  else if (view.span >= 0) look({ span: -1 });
  else if (view.selected >= 0) look({ selected: -1 });
  else if (view.query) look({ query: "", only: false });
  else if (view.path) look({ path: false });
  else look({ ends: new Set(), dimmed: new Set() });
}
