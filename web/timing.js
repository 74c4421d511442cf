// Owns waiting: pauses that can end early.

const SHORTEST_MS = 250;

/** Waits about `milliseconds`, give or take a tenth, so that browsers do not all ask in the same instant. */
export function pause(milliseconds, signal) {
  return sleep(Math.max(SHORTEST_MS, milliseconds) * (0.9 + Math.random() * 0.2), signal);
}

/** Waits `milliseconds`, or less when `signal` is aborted; never rejects. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done, { once: true });

    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}
