// What is under way, as the server tells it: one snapshot, then numbered
// events. Everything is kept by request id, so that an event which the
// snapshot already contains changes nothing.

import { ask } from "./dom.js";

const KEPT = 300;
const listeners = new Set();

export const live = {
  info: null,
  queue: { queued: 0, running: 0, waiting: 0, failed: 0 },
  /** request id → { id, subjects, stage, attempt, ended, due, reason, at } */
  items: new Map(),
  /** `id/attempt` → finished attempt */
  runs: new Map(),
  /** request id → given-up event */
  failures: new Map(),
  denials: [],
  link: "connecting",
};

export const onChange = (listener) => listeners.add(listener);
const tell = (what) => listeners.forEach((listener) => listener(what));

export const keyOf = (subject) => subject.slice(subject.indexOf("/") + 1);
export const isRemoval = (subject) => subject.startsWith("ObjectRemoved");

function item(id, subjects = []) {
  let found = live.items.get(id);
  if (!found) {
    found = { id, subjects, stage: "queued", attempt: 0, ended: 0, at: Date.now() };
    live.items.set(id, found);
  }
  if (subjects.length) found.subjects = subjects;
  return found;
}

function trim() {
  for (const map of [live.runs, live.failures]) while (map.size > KEPT) map.delete(map.keys().next().value);
  if (live.items.size > 2 * KEPT) {
    for (const [id, one] of live.items) {
      if (["done", "rejected", "failed"].includes(one.stage)) live.items.delete(id);
      if (live.items.size <= KEPT) break;
    }
  }
}

const rejected = (run) => (run.results ?? []).find((result) => result.state === "rejected");

function finished(run) {
  live.runs.set(`${run.request_id}/${run.attempt}`, run);
  const one = item(run.request_id, run.subjects);
  if (run.attempt < one.ended) return;
  one.ended = one.attempt = run.attempt;
  one.at = run.started_ms + run.duration_ms;
  if (run.outcome === "success") {
    one.stage = rejected(run) ? "rejected" : "done";
    one.reason = rejected(run)?.reason;
  } else {
    // Whether it is tried again is said by the next event.
    one.stage = "waiting";
    one.reason = run.error?.errorMessage ?? run.outcome;
  }
}

function apply(event) {
  switch (event.type) {
    case "queued": item(event.request_id, event.subjects); break;
    case "started": {
      const one = item(event.request_id);
      if (event.attempt > one.ended) Object.assign(one, { stage: "running", attempt: event.attempt });
      break;
    }
    case "finished": finished(event); break;
    case "retry_scheduled": {
      const one = item(event.request_id);
      if (event.attempt >= one.ended && one.attempt <= event.attempt) Object.assign(one, { stage: "waiting", due: event.due_ms });
      break;
    }
    case "sent_to_destination": {
      Object.assign(item(event.request_id), { stage: "failed", reason: event.envelope.responsePayload?.errorMessage });
      refreshFailures();
      break;
    }
    case "decision": live.denials.push(event); live.denials.splice(0, live.denials.length - KEPT); break;
  }
  trim();
}

/** Failures carry the id by which they are retried only in the state. */
export async function refreshFailures() {
  try {
    const state = await ask("/api/state");
    live.failures = new Map(state.failed_events.map((one) => [one.request_id, one]));
    live.queue = state.queue;
    tell({ type: "failures" });
  } catch { /* the stream reports a lost connection */ }
}

function restore(state) {
  live.info = state;
  live.queue = state.queue;
  live.items = new Map();
  live.runs = new Map();
  live.denials = state.denials;
  live.failures = new Map(state.failed_events.map((one) => [one.request_id, one]));
  state.invocations.forEach(finished);
  for (const failure of state.failed_events) {
    if (live.items.has(failure.request_id)) live.items.get(failure.request_id).stage = "failed";
  }
  for (const one of state.under_way) {
    const known = item(one.request_id, one.subjects);
    Object.assign(known, { stage: one.stage, attempt: one.attempts, due: one.due_ms });
  }
}

function setLink(state) {
  live.link = state;
  tell({ type: "link" });
}

let stream = null;

/** Reads the state, then listens from there on. */
export async function connect() {
  stream?.close();
  let state;
  try {
    state = await ask("/api/state");
  } catch (error) {
    setLink(error.status === 401 ? "locked" : "lost");
    if (error.status !== 401) setTimeout(connect, 1500);
    return;
  }
  restore(state);
  tell({ type: "restored" });
  stream = new EventSource(`/api/events?after=${encodeURIComponent(state.at)}`);
  stream.onopen = () => setLink("live");
  stream.onerror = () => {
    setLink("lost");
    // The browser connects again by itself unless it was refused.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 1500);
  };
  stream.onmessage = async (message) => {
    const event = JSON.parse(message.data);
    if (event.type === "resync") {
      // More was missed than is kept, or the cloud was started anew.
      connect();
      return;
    }
    apply(event);
    tell(event);
  };
}
