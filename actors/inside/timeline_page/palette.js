// Colours and patterns of the canvas, read from the style so that there is one place for them.
let palette = null;
const PATTERNS = { queued: "hatch", in_backoff: "stripes", restarting: "dots" };

function readPalette() {
  const probe = document.getElementById("probe");
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const states = STATES.map((state) => ({
    fill: read(`state-${state}`), line: read(`state-${state}-line`), ink: read(`state-${state}-ink`),
  }));
  const ends = Object.fromEntries(ENDS.map((end) => [end, read(`end-${end}`)]));
  const ground = Object.fromEntries(
    ["ground", "raised", "sunken", "line", "line-strong", "ink", "ink-soft", "accent", "accent-wash", "bad"].map((name) => [name, read(name)]),
  );
  palette = { states, ends, ...ground, paints: [] };
}

/** What fills a state on *pen*'s canvas: a colour, or a pattern where a colour alone would be mistaken. */
function paintOf(pen, state) {
  const made = palette.paints[state];
  if (made) return made;
  const { fill, line } = palette.states[state];
  return (palette.paints[state] = PATTERNS[STATES[state]] ? patternOf(pen, PATTERNS[STATES[state]], fill, line) : fill);
}

function patternOf(pen, kind, fill, line) {
  const scale = devicePixelRatio || 1, size = 8;
  const tile = new OffscreenCanvas(Math.round(size * scale), Math.round(size * scale));
  const inner = tile.getContext("2d");
  inner.scale(tile.width / size, tile.height / size);
  inner.fillStyle = fill;
  inner.fillRect(0, 0, size, size);
  inner.strokeStyle = inner.fillStyle = line;
  inner.lineWidth = kind === "hatch" ? 1 : 2;
  inner.globalAlpha = kind === "hatch" ? 0.55 : 0.6;
  if (kind === "dots") {
    for (const [x, y] of [[2, 2], [6, 6]]) inner.fillRect(x - 1, y - 1, 2, 2);
  } else {
    inner.beginPath();
    for (const by of [-size, 0, size]) {
      const [left, right] = kind === "hatch" ? [by + size, by] : [by, by + size];
      inner.moveTo(left - (right - left) / 4, -size / 4);
      inner.lineTo(right + (right - left) / 4, size + size / 4);
    }
    inner.stroke();
  }
  const pattern = pen.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix([size / tile.width, 0, 0, size / tile.height, 0, 0]));
  return pattern;
}

function cycleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  readPalette();
  look({ theme: root.dataset.theme });
}
