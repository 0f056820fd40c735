/* Asks the server that the page came from, once a second, while somebody looks. */

const TOKEN = new URLSearchParams(location.search).get("token") || "";
const PATIENCE = 5000;
const EVERY = 1000;
const SLOWEST = 15000;

/** The server answered, and not with what was asked for. */
class Refused extends Error {
  constructor(status, said) {
    super(visible(said.error, 300) || `the server answered ${status}`);
    this.status = status;
    this.said = said;
  }
}

/** There was no answer. */
class Away extends Error {}

/** One answer; with a `body` it is a POST. It takes five seconds at most. */
async function ask(path, body) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  const headers = { Authorization: `Bearer ${TOKEN}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const answer = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: stop.signal,
    });
    if (!answer.ok) throw new Refused(answer.status, saidIn(await answer.text()));
    return await answer.json();
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Away(error.name === "AbortError" ? "no answer within 5 s" : "the server cannot be reached");
  } finally {
    clearTimeout(timer);
  }
}

/** Why the server refused: its answer says so as JSON. */
function saidIn(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return { error: text };
  }
}

/** Calls `round` again and again: one at a time, never while the page is hidden, more rarely while it fails. */
class Poller {
  constructor(round, fails) {
    this.round = round;
    this.fails = fails;
    this.delay = EVERY;
    this.isBusy = false;
    this.isPaused = false;
    this.isOver = false;
    this.timer = null;
    document.addEventListener("visibilitychange", () => this.soon());
    addEventListener("online", () => this.soon());
    addEventListener("pageshow", () => this.soon());
  }

  /** Ask at once, if nothing is on its way. */
  soon() {
    clearTimeout(this.timer);
    if (!this.isBusy && !this.isPaused && !this.isOver && !document.hidden) this.turn();
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    this.soon();
  }

  /** Begin anew after it was over. */
  again() {
    this.isOver = false;
    this.delay = EVERY;
    this.soon();
  }

  async turn() {
    this.isBusy = true;
    const began = performance.now();
    try {
      await this.round();
      this.delay = EVERY;
    } catch (error) {
      this.isOver = error instanceof Refused && [401, 403, 410].includes(error.status);
      this.delay = Math.min(SLOWEST, this.delay * 2);
      if (!(error instanceof Refused || error instanceof Away)) reportError(error); // a fault of this page
      this.fails(error);
    }
    this.isBusy = false;
    if (this.isPaused || this.isOver || document.hidden) return;
    this.timer = setTimeout(() => this.soon(), Math.max(200, this.delay - (performance.now() - began)));
  }
}
