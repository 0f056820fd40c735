// The whole run, small: slots used and the queue over time, and below them all rows; what is seen is framed.
const overview = document.getElementById("overview");
const SLOTS_HIGH = 34, OVERVIEW_GAP = 5, GRIP = 6;
let wholePicture = null; // {key, image}: drawn anew only when something of it changed

const overviewScale = () => new Scale(WHOLE.from, WHOLE.to, overview.clientWidth);
const slotsAt = (time) => DATA.slots.reduce((count, [since, many]) => (since <= time ? many : count), DATA.slots[0]?.[1] ?? 0);
const mostSlots = Math.max(1, ...DATA.slots.map(([, many]) => many));

/** Slots used and the queue for each pixel, as means. */
function loadOf(across) {
  const wide = Math.max(1, Math.floor(across.wide)), used = new Float64Array(wide), queued = new Float64Array(wide);
  DATA.load.forEach(([at, uses, waits], i) => {
    const until = DATA.load[i + 1]?.[0] ?? LENGTH;
    const left = across.x(at), right = Math.min(across.x(until), wide);
    for (let px = Math.max(0, Math.floor(left)); px < Math.min(wide, Math.ceil(right)); px++) {
      const share = Math.min(right, px + 1) - Math.max(left, px);
      used[px] += uses * share;
      queued[px] += waits * share;
    }
  });
  return { used, queued };
}
const mostUsed = Math.max(mostSlots, ...(DATA.load.length < 50_000 ? DATA.load.map(([, uses]) => uses) : [0]));
const mostQueued = DATA.load.reduce((most, [, , waits]) => Math.max(most, waits), 0);

function drawSlots(pen, across) {
  const { used, queued } = loadOf(across);
  const y = (share) => SLOTS_HIGH - share * (SLOTS_HIGH - 4);
  pen.fillStyle = palette.sunken;
  pen.fillRect(0, 0, across.x(LENGTH), SLOTS_HIGH);
  pen.fillStyle = palette.states[IN_DRIVER].fill;
  pen.globalAlpha = 0.55;
  for (let px = 0; px < used.length; px++) {
    if (used[px] > 0) pen.fillRect(px, y(used[px] / mostUsed), 1, (used[px] / mostUsed) * (SLOTS_HIGH - 4));
  }
  pen.globalAlpha = 1;
  if (DATA.slots.length) {
    pen.strokeStyle = palette["ink-soft"];
    pen.setLineDash([4, 3]);
    pen.beginPath();
    DATA.slots.forEach(([since, many], i) => {
      pen.lineTo(across.x(Math.max(0, i ? since : 0)), y(many / mostUsed));
      pen.lineTo(across.x(Math.min(DATA.slots[i + 1]?.[0] ?? LENGTH, LENGTH)), y(many / mostUsed));
    });
    pen.stroke();
    pen.setLineDash([]);
  }
  if (!mostQueued) return;
  pen.strokeStyle = palette.bad;
  pen.lineWidth = 1.25;
  pen.beginPath();
  for (let px = 0; px < Math.min(queued.length, across.x(LENGTH)); px++) pen.lineTo(px + 0.5, y(queued[px] / mostQueued));
  pen.stroke();
}

function drawAllRows(pen, across, top, high) {
  const each = high / Math.max(1, layout.rows.length);
  const stride = Math.max(1, Math.floor(0.25 / each)); // of many rows at one pixel some stand for all; each bad end is drawn
  const thick = Math.min(each * stride, 8);
  layout.rows.forEach((agent, row) => {
    const y = top + row * each;
    if (row % stride && !BAD_ENDS.has(endOf(agent))) return;
    pen.globalAlpha = isDim(agent) ? 0.15 : 1;
    const [first, last] = spansOf(agent);
    for (let s = first; s < last; s++) {
      if (SPANS.lane[s] >= 0) continue;
      pen.fillStyle = palette.states[SPANS.state[s]][SPANS.state[s] === QUEUED ? "line" : "fill"];
      if (view.dimmed.has(SPANS.state[s])) continue;
      pen.fillRect(across.x(SPANS.begin[s]), y, Math.max((SPANS.end[s] - SPANS.begin[s]) * across.per, 0.5), thick);
    }
    if (BAD_ENDS.has(endOf(agent))) {
      pen.fillStyle = palette.ends[endOf(agent)];
      pen.fillRect(across.x(AGENTS.end[agent]) - 1, y - 0.5, 3, Math.max(thick, 1.5));
    }
  });
  pen.globalAlpha = 1;
}

function drawOverview() {
  const wide = overview.clientWidth, high = overview.clientHeight;
  if (!wide || !high) return;
  const pen = penOf(overview, wide, high);
  const across = overviewScale(), top = SLOTS_HIGH + OVERVIEW_GAP;
  const key = [wide, high, layout.version, devicePixelRatio].join();
  if (wholePicture?.key !== key) {
    const image = new OffscreenCanvas(overview.width, overview.height), inner = image.getContext("2d");
    inner.scale(image.width / wide, image.height / high);
    drawSlots(inner, across);
    drawAllRows(inner, across, top, high - top);
    wholePicture = { key, image };
  }
  pen.drawImage(wholePicture.image, 0, 0, wide, high);
  drawFrame(pen, across, top, high);
}

function drawFrame(pen, across, top, high) {
  const left = Math.max(across.x(view.from), 0), right = Math.min(across.x(view.to), wideOf(across));
  pen.fillStyle = palette.ground;
  pen.globalAlpha = 0.62;
  pen.fillRect(0, 0, left, high);
  pen.fillRect(right, 0, across.wide - right, high);
  pen.globalAlpha = 1;
  const rows = Math.max(layout.total, 1), seen = scroller.clientHeight;
  if (seen < rows) {
    const y = top + (scroller.scrollTop / rows) * (high - top), deep = Math.max((seen / rows) * (high - top), 4);
    pen.strokeStyle = palette.ink;
    pen.lineWidth = 1.5;
    pen.strokeRect(left + 1, Math.min(y, high - deep) + 0.5, Math.max(right - left - 2, 3), deep - 1);
  }
  if (left > 0 || right < across.wide - 1) {
    pen.fillStyle = palette.accent;
    for (const x of [left, right]) pen.fillRect(x - 1, 0, 2, high);
  }
  if (view.pointer) {
    pen.fillStyle = palette.ink;
    pen.globalAlpha = 0.5;
    pen.fillRect(across.x(view.pointer.time), 0, 1, high);
    pen.globalAlpha = 1;
  }
}
const wideOf = (across) => across.wide;

// A drag over it frames another stretch; of a frame that is there it moves the inside or an edge; a click goes there.
function followOverview() {
  let grip = null;
  overview.addEventListener("pointerdown", (event) => {
    const across = overviewScale(), x = event.offsetX, left = across.x(view.from), right = across.x(view.to);
    const whole = left <= 0 && right >= across.wide - 1;
    const part = Math.abs(x - left) < GRIP && !whole ? "left" : Math.abs(x - right) < GRIP && !whole ? "right"
      : x > left && x < right && !whole ? "move" : "new";
    grip = { part, x, from: view.from, to: view.to };
    overview.setPointerCapture(event.pointerId);
    goToRows(event.offsetY);
  });
  overview.addEventListener("pointermove", (event) => {
    const across = overviewScale(), x = event.offsetX;
    if (!grip) return void look({ pointer: { time: across.time(x) } });
    const by = (x - grip.x) / across.per;
    if (grip.part === "move") lookAt(grip.from + by, grip.to + by);
    else if (grip.part === "left") lookAt(Math.min(grip.from + by, grip.to - SHORTEST), grip.to);
    else if (grip.part === "right") lookAt(grip.from, Math.max(grip.to + by, grip.from + SHORTEST));
    else if (Math.abs(x - grip.x) > 4) lookAt(...[across.time(grip.x), across.time(x)].sort((a, b) => a - b));
    goToRows(event.offsetY);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    overview.addEventListener(name, (event) => {
      if (grip?.part === "new" && name === "pointerup" && Math.abs(event.offsetX - grip.x) <= 4) {
        const time = overviewScale().time(event.offsetX), half = (view.to - view.from) / 2;
        if (view.to - view.from < WHOLE.to) lookAt(time - half, time + half);
      }
      grip = null;
    });
  }
  overview.addEventListener("pointerleave", () => look({ pointer: null }));
  overview.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(Math.max(-300, Math.min(300, event.deltaY)) * 0.0018), overviewScale().time(event.offsetX));
  }, { passive: false });
  overview.addEventListener("dblclick", () => look(WHOLE));
}

function goToRows(y) {
  const top = SLOTS_HIGH + OVERVIEW_GAP, share = (y - top) / (overview.clientHeight - top);
  if (share >= 0 && layout.total > scroller.clientHeight) {
    scroller.scrollTop = Math.min(share, 1) * layout.total - scroller.clientHeight / 2;
  }
}
