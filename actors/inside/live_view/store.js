/* What is known of the pool: the last answer, what came before it, and those that have ended since. */

const KEPT_EVENTS = 500;
const KEPT_GONE = 1000;
const KEPT_MINUTES = 5;

class Store {
  constructor() {
    this.state = null;
    this.at = 0; // performance.now() of the last answer
    this.agents = new Map(); // by id: those of the last answer
    this.gone = new Map(); // by id: those that were there and are no more
    this.ends = new Map(); // by id: their agent_ended
    this.history = [];
    this.events = []; // newest last
    this.seen = 0;
    this.missed = 0;
  }

  /** Take an answer to /state that came `at`. */
  take(state, at) {
    const before = this.agents;
    this.agents = new Map();
    for (const agent of state.agents) {
      const old = before.get(agent.id);
      const isSame = old && old.state === agent.state && old.on === agent.on;
      agent.since = steady(isSame ? old.since : null, at - agent.seconds * 1000);
      agent.born = steady(old ? old.born : null, at - agent.age * 1000);
      this.agents.set(agent.id, agent);
      this.gone.delete(agent.id);
    }
    for (const [id, agent] of before) {
      if (!this.agents.has(id) && (!state.left_off || this.ends.has(id))) {
        this.gone.set(id, agent);
        agent.left = at;
      }
    }
    trim(this.gone, KEPT_GONE);
    this.state = state;
    this.at = at;
    this.remember(state, at);
  }

  remember(state, at) {
    const { figures } = state;
    this.history.push({
      at,
      used: usedSlots(state),
      queued: figures.queued,
      ended: Object.values(figures.ended).reduce((sum, one) => sum + one, 0),
      cost: figures.cost_usd,
      tokens: figures.input_tokens + figures.output_tokens,
    });
    while (this.history[0].at < at - KEPT_MINUTES * 60000 || this.history.length > 1000) this.history.shift();
  }

  /** Take an answer to /events. */
  takeEvents(answer) {
    this.missed += answer.missed || 0;
    this.seen = answer.last;
    for (const event of answer.events) {
      this.events.push(event);
      if (event.event === "agent_ended") this.ends.set(event.agent_id, event);
    }
    if (this.events.length > KEPT_EVENTS) this.events.splice(0, this.events.length - KEPT_EVENTS);
    trim(this.ends, KEPT_GONE * 5);
    return answer.events.length > 0;
  }

  /** One that is there, or was. */
  find(id) {
    return this.agents.get(id) || this.gone.get(id) || null;
  }

  hasEnded(id) {
    return !this.agents.has(id) && (this.ends.has(id) || !(this.state && this.state.left_off));
  }

  /** How much `name` rises in a minute, over the last one; null while too little is known. */
  perMinute(name) {
    const last = this.history[this.history.length - 1];
    const first = this.history.find((one) => one.at >= last.at - 60000);
    const seconds = (last.at - first.at) / 1000;
    return seconds < 4 ? null : ((last[name] - first[name]) / seconds) * 60;
  }

  /** [seconds before the last answer, value] of the last minutes. */
  line(name) {
    return this.history.map((one) => [(this.at - one.at) / 1000, one[name]]);
  }

  /** The same as how much it rose in a second. */
  rate(name) {
    return this.history.slice(1).map((one, index) => {
      const earlier = this.history[index];
      return [(this.at - one.at) / 1000, Math.max(0, one[name] - earlier[name]) / Math.max(0.001, (one.at - earlier.at) / 1000)];
    });
  }
}

const usedSlots = ({ pool, figures }) => (pool.taken === undefined ? Math.max(0, figures.active - figures.parked) : pool.taken);
/* Woken, and in line for a slot. */
const stalled = (state) => Math.max(0, state.figures.active - state.figures.parked - usedSlots(state) - (state.states.restarting || 0));

/** The moment as it was known, unless it is another one: an answer takes now a little longer, now less. */
function steady(old, moment) {
  return old !== null && Math.abs(old - moment) < 700 ? old : moment;
}

function trim(map, most) {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
