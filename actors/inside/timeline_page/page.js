// The start: what is drawn anew after which change.
const LAYS_ROWS = ["ends", "only", "size", "shut", "path", "resized"];
const DRAWS_OVERVIEW = [...LAYS_ROWS, "query", "dimmed", "theme"];
layout.version = 0;

function refresh(changes) {
  const has = (...names) => names.some((name) => changes.has(name));
  if (has("query")) {
    runSearch();
    if (field.value !== view.query) field.value = view.query;
  }
  if (has("selected", "span", "path")) showDetails();
  if (has(...LAYS_ROWS) || (view.only && has("query"))) layRows();
  if (has("selected", "resized") && view.selected >= 0) showRow(view.selected); // details may have taken its place
  if (has(...DRAWS_OVERVIEW)) layout.version++;
  if (has("query", "selected", ...LAYS_ROWS)) countMatches();
  refreshHead(changes);
  byId("size").value = sizeName();
  draw();
  keepHash();
}

function draw() {
  canvas.style.height = `${scroller.clientHeight}px`;
  showLabels();
  drawChart();
  drawOverview();
  byId("count").textContent = layout.rows.length === AGENTS.count ? many(AGENTS.count, "agent") : `${whole(layout.rows.length)} of ${many(AGENTS.count, "agent")}`;
}

function followButtons() {
  const press = (id, act) => byId(id).addEventListener("click", act);
  press("path", () => look({ path: !view.path, selected: -1, span: -1 }));
  press("messages", () => look({ arrows: !view.arrows }));
  press("zoom-in", () => zoom(0.5));
  press("zoom-out", () => zoom(2));
  press("whole", () => look(WHOLE));
  press("theme", cycleTheme);
  press("help-button", () => byId("help").showModal());
  press("why-button", () => showWhy(byId("why").classList.contains("short")));
  byId("size").addEventListener("change", (event) => look({ size: event.target.value }));
}

/** All of it, or the first sentence alone. */
function showWhy(open) {
  byId("why").classList.toggle("short", !open);
  byId("why-button").setAttribute("aria-expanded", open);
}

function start() {
  readPalette();
  buildHead();
  canvas.setAttribute("aria-label", `Timeline of ${many(AGENTS.count, "agent")} over ${lasting(DATA.length)}. The rows beside it name each agent and its end.`);
  showWhy(!matchMedia("(max-width: 700px), (max-height: 620px)").matches);
  followButtons();
  followSearch();
  followPointer();
  followOverview();
  followKeys();
  onLook(refresh);
  scroller.addEventListener("scroll", () => look({ scrolled: scroller.scrollTop }), { passive: true });
  new ResizeObserver(() => look({ resized: (view.resized ?? 0) + 1 })).observe(scroller);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readPalette();
    look({ theme: (view.theme ?? "") + "." });
  });
  addEventListener("hashchange", () => location.hash.slice(1) !== ownHash && viewOfHash());
  viewOfHash();
  look({ resized: 1 });
}

start();
