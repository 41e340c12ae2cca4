// One shared connection for server-sent events, with reconnection and a status that pages can show.

const TYPES = [
  "positions", "order", "order_response", "advisory", "forecast", "yard", "assignment", "trip", "scenario", "resync", "hello",
  "sheet", "fee", "plate", "equipment", "notification", "undeclared", "gate_notice", "booking", "finding", "import",
];
const SILENCE_MS = 40_000; // the server says something at least every 15 s

const LOCKED_MS = 15_000; // between two looks whether another window was unlocked

let source = null;
let status = "connecting";
let watchdog = 0;
let attempts = 0;
let lastEventId = "";
const listeners = new Map();

function setStatus(next) {
  if (next === status) return;
  status = next;
  document.dispatchEvent(new CustomEvent("connection", { detail: status }));
}

function alive() {
  clearTimeout(watchdog);
  watchdog = setTimeout(reconnect, SILENCE_MS);
}

function dispatch(type, data) {
  for (const listener of listeners.get(type) || []) {
    try {
      listener(data);
    } catch (error) {
      console.error(error);
    }
  }
}

function connect() {
  const query = lastEventId ? `?last_event_id=${encodeURIComponent(lastEventId)}` : "";
  source = new EventSource(`/api/v1/events${query}`);
  alive();
  source.addEventListener("open", () => {
    const returned = attempts > 0;
    attempts = 0;
    setStatus("open");
    alive();
    if (returned) dispatch("reconnected", null);
  });
  source.addEventListener("ping", alive);
  for (const type of TYPES) {
    source.addEventListener(type, (event) => {
      alive();
      if (event.lastEventId) lastEventId = event.lastEventId;
      dispatch(type, JSON.parse(event.data));
    });
  }
  source.addEventListener("signed_out", () => {
    stop();
    document.dispatchEvent(new CustomEvent("signed-out"));
  });
  source.addEventListener("locked", waitForProof);
  source.addEventListener("moving", (event) => moveOn(JSON.parse(event.data).after_ms));
  source.addEventListener("error", reconnect);
}

/** The process that sends stops: another goes on with what comes after the last event. */
function moveOn(afterMs) {
  source.close();
  clearTimeout(watchdog);
  attempts += 1; // what has no number (positions) is fetched again
  watchdog = setTimeout(connect, afterMs);
}

/** Nobody is at the desk: what happens is fetched when somebody proves who it is, here or in another window. */
function waitForProof() {
  source.close();
  clearTimeout(watchdog);
  attempts += 1;
  watchdog = setTimeout(connect, LOCKED_MS);
}

function reconnect() {
  source?.close();
  clearTimeout(watchdog);
  setStatus("lost");
  attempts += 1;
  const delay = Math.min(1000 * 2 ** Math.min(attempts - 1, 4), 15_000) * (0.7 + 0.6 * Math.random());
  watchdog = setTimeout(connect, delay);
}

function stop() {
  source?.close();
  source = null;
  clearTimeout(watchdog);
}

/**
 * Listen to events of `type` (also "reconnected": the line was down, and "resync": events were lost,
 * fetch the state again). The first listener opens the connection. Returns a function that stops listening.
 */
export function on(type, listener) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type).add(listener);
  if (source === null) connect();
  return () => listeners.get(type).delete(listener);
}

/** "connecting", "open" or "lost"; changes are also document events "connection". */
export const connectionStatus = () => status;

document.addEventListener("proven", () => {
  if (!listeners.size || (source && source.readyState !== EventSource.CLOSED)) return;
  attempts += 1; // what happened in between is fetched
  clearTimeout(watchdog);
  connect();
});
addEventListener("online", () => status === "lost" && (clearTimeout(watchdog), connect()));
addEventListener("offline", () => source && status !== "lost" && reconnect()); // a stream that hears nothing more tells nothing
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => event.persisted && listeners.size && connect());
