// Owns following a status until it is final: pace, jitter, backoff, the hidden tab and the time limit.

import { call, ownPath } from "./api.js";
import { pause, seen } from "./timing.js";

const LIMIT_MS = 10 * 60_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Asks at the pace the server names until its answer names none.
 * `onUpdate(body)` for each answer, then exactly one of `onComplete(body)` and `onError(problem)`.
 * Returns a function that stops it silently.
 */
export function poll({ afterSeconds, url }, { onUpdate, onComplete, onError }) {
  const stopped = new AbortController();
  follow();
  return () => stopped.abort();

  async function follow() {
    let wait = afterSeconds * 1000;
    let left = LIMIT_MS;
    let target = url;
    while (left > 0) {
      const began = Date.now();
      await pause(wait, stopped.signal);
      left -= Date.now() - began;
      await seen(stopped.signal);
      if (stopped.signal.aborted) return;
      try {
        const body = await call("GET", ownPath(target), { signal: stopped.signal });
        if (stopped.signal.aborted) return;
        onUpdate?.(body);
        if (!body.poll) return onComplete?.(body);
        target = body.poll.url;
        wait = body.poll.afterSeconds * 1000;
      } catch (error) {
        if (stopped.signal.aborted) return;
        if (!error.transient) return onError?.(error);
        wait = Math.max(Math.min(LONGEST_WAIT_MS, Math.max(1_000, wait) * 2), (error.retryAfter ?? 0) * 1000);
      }
    }
    onError?.(new Error("the time limit for following this status has passed"));
  }
}
