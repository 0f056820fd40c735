// Search: agents whose name, key, status, group, tool, model or error has all the words.
const search = { found: new Set(), order: [], texts: null };
const field = byId("search");

function searchTexts() {
  search.texts ??= Array.from({ length: AGENTS.count }, (_, agent) => {
    const [first, last] = spansOf(agent), words = new Set();
    for (let s = first; s < last; s++) {
      words.add(SPANS.label[s]);
      if (SPANS.error.has(s)) words.add(SPANS.error.get(s));
    }
    const own = [AGENTS.name, AGENTS.key, AGENTS.group, AGENTS.tag, AGENTS.error].map((column) => textAt(column[agent]));
    return [`#${AGENTS.id[agent]} `, worded(endOf(agent)), endOf(agent), ...own, ...[...words].map(textAt)].join("\n").toLowerCase();
  });
  return search.texts;
}

function runSearch() {
  const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
  search.found = new Set();
  if (words.length) {
    searchTexts().forEach((text, agent) => {
      if (words.every((word) => (/^#\d+$/.test(word) ? text.startsWith(`${word} `) : text.includes(word)))) search.found.add(agent);
    });
  }
}

/** After the rows are laid: the matches in their order. */
function countMatches() {
  search.order = view.query ? layout.rows.filter((agent) => search.found.has(agent)) : [];
  const at = search.order.indexOf(view.selected);
  byId("found").textContent = !view.query ? "" : !search.order.length ? "none" : at < 0 ? whole(search.order.length) : `${whole(at + 1)} of ${whole(search.order.length)}`;
  for (const id of ["previous", "next"]) byId(id).disabled = !search.order.length;
  byId("only").disabled = !view.query;
}

function nextMatch(by) {
  showNow(); // Enter may come before the frame after the last letter
  if (!search.order.length) return;
  const at = search.order.indexOf(view.selected);
  const next = at < 0 ? (by > 0 ? 0 : search.order.length - 1) : (at + by + search.order.length) % search.order.length;
  goTo(search.order[next]);
}

/** Choose an agent, and see to it that its row and its time can be seen. */
function goTo(agent) {
  for (let parent = PLACES.get(AGENTS.parent[agent]), steps = 0; parent !== undefined && steps++ < 1000; parent = PLACES.get(AGENTS.parent[parent])) {
    if (view.shut.has(parent)) look({ shut: new Set([...view.shut].filter((other) => other !== parent)) });
  }
  if (!isShown(agent)) look({ ends: new Set(), only: false });
  if (view.path && !onPath.has(agent)) look({ path: false });
  look({ selected: agent, span: -1 });
  if (AGENTS.end[agent] < view.from || AGENTS.begin[agent] > view.to) lookAround(AGENTS.begin[agent], AGENTS.end[agent]);
}

function followSearch() {
  field.addEventListener("input", () => look({ query: field.value, only: Boolean(field.value) && view.only }));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      if (!field.value) field.blur();
      field.value = "";
      look({ query: "", only: false });
    } else return;
    event.preventDefault();
  });
  byId("previous").addEventListener("click", () => nextMatch(-1));
  byId("next").addEventListener("click", () => nextMatch(1));
  byId("only").addEventListener("click", () => look({ only: !view.only }));
}
