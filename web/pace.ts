// Owns when a page asks again: the pace that the server names, chance, and the backoff. Pure: instants come in, instants go out.
// pace.js is emitted from pace.ts: change the latter, then `npm run emit` in tests/web.

/** How well the service is, as it says itself. */
export type Pace = "healthy" | "degraded" | "paused";

/** The `poll` of a status: when, in seconds, and where to ask again. */
export interface Hint {
  readonly afterSeconds: number;
  readonly url: string;
  readonly pace?: Pace;
}

/** The pace where the server names none, or none that makes sense (S1-040). */
const USUAL_MS = 2_000;

/** No pace is faster, whatever the server says. */
const SHORTEST_MS = 1_000;

/** Without a wish of the server nobody waits longer after an error (S1-041). */
export const LONGEST_WAIT_MS = 30_000;

/** From the beginning of one window to the end of the next is the longest wait. */
const LONGEST_WINDOW_MS = LONGEST_WAIT_MS / 2;

/**
 * What is added to or taken from the pace while all is well, as a part of it. On average a page keeps the pace; wherever in
 * it ten thousand pages were crowded, one round later they are spread over all of it.
 */
const JITTER = 0.5;

/** A stretch of time, in milliseconds, in which one question is asked at an instant that chance picks. */
interface Window {
  readonly begin: number;
  readonly length: number;
}

/**
 * Picks the instant of the next question, so that many pages do not ask at the same time.
 *
 * The tenth of S1-036 spreads the retries of a few servers. Ten thousand pages that met an outage in one instant it would
 * bring back within four tenths of a second, again and again. So after an error time is cut into windows, one right
 * after the other, each twice as long as the one before, up to 15 seconds; in each a page asks once, at an instant that is
 * as likely as any other. That is full jitter with two differences. Windows of one outage do not overlap, so no late page of
 * one round meets an early one of the next. And a page that was early in one window is not early in all: its waits grow from
 * at most 2 to at most 30 seconds (S1-041). When the service is back, the pages come back over the window they are in.
 */
export class Schedule {
  readonly #random: () => number;
  #pace = USUAL_MS;
  #window: Window | null = null;

  /** `random` returns numbers from 0 up to but not including 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** The first question: pages that were opened in one instant spread over the whole pace. */
  first(now: number, hint: Hint): number {
    this.#pace = pace(hint);
    return now + this.#pace * this.#random();
  }

  /** The question after an answer. A pause ends between its length and twice that: it begins for all pages at once. */
  afterAnswer(now: number, hint: Hint): number {
    this.#window = null;
    this.#pace = pace(hint);
    if (hint.pace === "paused") return now + this.#pace * (1 + this.#random());
    return now + this.#pace * (1 - JITTER + 2 * JITTER * this.#random());
  }

  /**
   * The question after one that failed. How long the failed answer took, and what the server wants to be waited, lie
   * between the windows: where they are the same for all pages, windows stay in step.
   */
  afterError(now: number, tookMs: number, retryAfterMs: number): number {
    const last = this.#window;
    const length = Math.min(last ? 2 * last.length : this.#pace, LONGEST_WINDOW_MS);
    const begin = (last ? last.begin + last.length + tookMs : now) + retryAfterMs;
    this.#window = { begin, length };
    return begin + length * this.#random();
  }
}

function pace({ afterSeconds }: Hint): number {
  return afterSeconds > 0 ? Math.max(SHORTEST_MS, afterSeconds * 1_000) : USUAL_MS;
}
