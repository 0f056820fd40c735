// What the page is drawn from: columns of numbers, read once. Times are microseconds since the timeline begins.
const DATA = JSON.parse(document.getElementById("data").textContent);
const STATES = DATA.states;
const [QUEUED, RUNNING, PARKED, IN_DRIVER, IN_TOOL, IN_BACKOFF, RESTARTING] = STATES.keys();
const IS_OPEN = 1, IS_RECALLED = 2, IS_CUT = 4;
const LENGTH = Math.max(DATA.length, 1);
const SUMMARY = DATA.summary;

const textAt = (place) => (place < 0 ? "" : DATA.texts[place]);

/** Agents, by place: columns. */
const AGENTS = readAgents(DATA.agents);
/** Stretches of all agents, those of one side by side. */
const SPANS = readSpans(DATA.spans);
/** Tool calls in which their agent was parked nearly all the time: the tool waits, too. */
const WAITING = readWaiting();
const PLACES = new Map(AGENTS.id.map((id, place) => [id, place]));
const CHILDREN = readChildren();
const MARKS = Map.groupBy ? Map.groupBy(DATA.marks, (mark) => mark[0]) : grouped(DATA.marks);
const MESSAGES = readMessages();
const PATH = readPath();

function grouped(marks) {
  const groups = new Map();
  for (const mark of marks) groups.set(mark[0], [...(groups.get(mark[0]) ?? []), mark]);
  return groups;
}

function readAgents(columns) {
  const count = columns.id.length;
  const first = new Int32Array(count + 1);
  for (let a = 0; a < count; a++) first[a + 1] = first[a] + columns.spans[a];
  const statusText = columns.status.map(textAt);
  return { ...columns, count, first, statusText, lanes: new Uint8Array(count), tellsTools: new Uint8Array(count) };
}

function readSpans(columns) {
  const count = columns.state.length;
  const begin = new Float64Array(count), end = new Float64Array(count), agent = new Int32Array(count);
  let at = 0;
  for (let s = 0; s < count; s++) {
    at += columns.begin[s];
    begin[s] = at;
    end[s] = at + columns.length[s];
  }
  const lane = Int16Array.from(columns.lane);
  for (let a = 0; a < AGENTS.count; a++) {
    for (let s = AGENTS.first[a]; s < AGENTS.first[a + 1]; s++) {
      agent[s] = a;
      if (lane[s] < 0 && columns.state[s] === IN_TOOL) AGENTS.tellsTools[a] = 1;
      if (lane[s] >= AGENTS.lanes[a]) AGENTS.lanes[a] = Math.min(lane[s] + 1, 255);
    }
  }
  const few = (name) => new Map(columns[name][0].map((place, i) => [place, columns[name][1][i]]));
  return {
    count, begin, end, agent, lane, label: Int32Array.from(columns.label), state: Uint8Array.from(columns.state),
    attempt: few("attempt"), error: few("error"), flags: few("flags"), input_tokens: few("input_tokens"),
    output_tokens: few("output_tokens"), cost: few("cost"), input: few("input"), output: few("output"),
  };
}

function readWaiting() {
  const waiting = new Uint8Array(SPANS.count);
  for (let a = 0; a < AGENTS.count; a++) {
    if (!AGENTS.lanes[a]) continue;
    const parks = [];
    for (let s = AGENTS.first[a]; s < AGENTS.first[a + 1]; s++) if (SPANS.lane[s] < 0 && SPANS.state[s] === PARKED) parks.push(s);
    if (!parks.length) continue;
    for (let s = AGENTS.first[a], next = 0; s < AGENTS.first[a + 1]; s++) {
      if (SPANS.lane[s] < 0) continue;
      while (next < parks.length && SPANS.end[parks[next]] <= SPANS.begin[s]) next++;
      let parked = 0;
      for (let i = next; i < parks.length && SPANS.begin[parks[i]] < SPANS.end[s]; i++) {
        parked += Math.min(SPANS.end[s], SPANS.end[parks[i]]) - Math.max(SPANS.begin[s], SPANS.begin[parks[i]]);
      }
      if (parked > 0.9 * (SPANS.end[s] - SPANS.begin[s])) waiting[s] = 1;
    }
  }
  return waiting;
}

/** The places of the children of each agent, and under -1 of those that none of these started. */
function readChildren() {
  const children = new Map([[-1, []]]);
  for (let a = 0; a < AGENTS.count; a++) {
    const known = PLACES.get(AGENTS.parent[a]);
    const parent = known === undefined || known === a ? -1 : known;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(a);
  }
  return children;
}

/** Those whose both ends are drawn, and for each agent the places of its own. */
function readMessages() {
  const all = [], of = new Map();
  for (const [sender, receiver, sent, read] of DATA.messages) {
    const from = PLACES.get(sender) ?? -1, to = PLACES.get(receiver) ?? -1;
    for (const a of new Set([from, to])) {
      if (a < 0) continue;
      if (!of.has(a)) of.set(a, []);
      of.get(a).push(all.length);
    }
    all.push({ sender, receiver, from, to, sent, read });
  }
  return { all, of };
}

function readPath() {
  return SUMMARY.path.map(([id, state, begin, end, label]) => (
    { id, agent: PLACES.get(id) ?? -1, state, begin, end, label: textAt(label) }
  ));
}

const spansOf = (agent) => [AGENTS.first[agent], AGENTS.first[agent + 1]];
const nameOf = (agent) => (/\S/.test(textAt(AGENTS.name[agent])) ? textAt(AGENTS.name[agent]) : `agent ${AGENTS.id[agent]}`);
const depthOf = (() => {
  const depths = new Int32Array(AGENTS.count);
  const todo = [...CHILDREN.get(-1)];
  while (todo.length) {
    const a = todo.pop();
    for (const child of CHILDREN.get(a) ?? []) {
      depths[child] = depths[a] + 1;
      todo.push(child);
    }
  }
  return (agent) => depths[agent];
})();

/** Seconds of one agent at each state, of its own track; tool calls where that does not tell of tools. */
function timesOf(agent) {
  const times = new Array(STATES.length).fill(0);
  const [first, last] = spansOf(agent);
  let lanes = 0;
  for (let s = first; s < last; s++) {
    const length = SPANS.end[s] - SPANS.begin[s];
    if (SPANS.lane[s] < 0) times[SPANS.state[s]] += length;
    else if (!WAITING[s]) lanes += length;
  }
  if (!times[IN_TOOL]) times[IN_TOOL] = lanes;
  return times;
}
