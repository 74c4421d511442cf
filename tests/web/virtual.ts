// Owns a world for sessions without a real clock, network or page: time passes when a test says so, chance comes from a seed.

import { setImmediate } from "node:timers/promises";

import type { Reply, World } from "../../web/polling.js";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Numbers from 0 up to but not including 1: mulberry32, by Tommy Ettinger, in the public domain. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An answer of the portal. */
export function reply(status: number, body: unknown = null, headers: Record<string, string> = {}): Reply {
  return { status, headers: { get: (name) => headers[name] ?? null }, json: async () => body };
}

/** What a server does about a question. */
export type Server = (url: string, headers: Record<string, string>, signal: AbortSignal) => Promise<Reply> | Reply;

/** The clock ticks in milliseconds; everything that follows from a tick has happened before the next one. */
export class VirtualWorld implements World {
  server: Server;
  /** How many requests are under way. */
  pending = 0;
  readonly asked: { at: number; url: string; headers: Record<string, string> }[] = [];
  readonly #random: () => number;
  readonly #timers: Timer[] = [];
  readonly #watchers = new Set<() => void>();
  #now = 0;
  #hidden = false;
  #order = 0;

  constructor(server: Server, seed = 1) {
    this.server = server;
    this.#random = seeded(seed);
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.#random();
  }

  setTimer(run: () => void, milliseconds: number): unknown {
    const at = this.#now + Math.max(0, Math.ceil(milliseconds));
    this.#order += 1;
    const timer = { at, order: this.#order, run, cancelled: false };
    this.#push(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    (timer as Timer).cancelled = true;
  }

  async fetch(url: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }): Promise<Reply> {
    this.asked.push({ at: this.#now, url, headers });
    this.pending += 1;
    try {
      return await this.server(url, headers, signal);
    } finally {
      this.pending -= 1;
    }
  }

  hidden(): boolean {
    return this.#hidden;
  }

  watchHidden(listener: () => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** What a session that has ended may not leave behind. */
  left(): { timers: number; watchers: number; pending: number } {
    const timers = this.#timers.filter((timer) => !timer.cancelled).length;
    return { timers, watchers: this.#watchers.size, pending: this.pending };
  }

  hide(hidden: boolean): void {
    this.#hidden = hidden;
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Resolves after so much time; for servers that think. */
  after(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.setTimer(resolve, milliseconds));
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await setImmediate();
    for (let next = this.#timers[0]; next && next.at <= end; next = this.#timers[0]) {
      this.#now = Math.max(this.#now, next.at);
      let due = this.#pop();
      for (; due; due = this.#pop()) if (!due.cancelled) due.run();
      await setImmediate();
    }
    this.#now = end;
  }

  // A binary heap: ten thousand sessions have as many timers.
  #push(timer: Timer): void {
    const heap = this.#timers;
    let place = heap.length;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (!parent || !earlier(timer, parent)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = timer;
  }

  /** The next timer that is due now. */
  #pop(): Timer | null {
    const heap = this.#timers;
    const first = heap[0];
    if (!first || first.at > this.#now) return null;
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (!left) break;
      if (right && earlier(right, left)) child += 1;
      const smaller = heap[child];
      if (!smaller || !earlier(smaller, last)) break;
      heap[place] = smaller;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

function earlier(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
