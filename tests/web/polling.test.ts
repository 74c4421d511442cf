// Facts about one session, and about the sessions of a page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ANSWER_MS, PollingError, PollingSessions, SESSION_MS, type Hint, type Listener, type Status } from "../../web/polling.js";
import { VirtualWorld, reply, type Server } from "./virtual.js";

interface Video extends Status {
  readonly status: string;
}

const URL = "/api/assets/ast_1";
const HEALTHY: Hint = { afterSeconds: 2, url: URL, pace: "healthy" };
const DEGRADED: Hint = { afterSeconds: 5, url: URL, pace: "degraded" };
const PAUSED: Hint = { afterSeconds: 15, url: URL, pace: "paused" };
const READY = { status: "READY" };
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const moving = (poll: Hint = HEALTHY): Video => ({ status: "MUX_PROCESSING", poll });

/** A page that follows one video, and what it is told. */
class Page {
  readonly world: VirtualWorld;
  readonly sessions: PollingSessions;
  readonly told: string[] = [];
  error: Error | null = null;

  constructor(server: Server, seed = 1) {
    this.world = new VirtualWorld(server, seed);
    this.sessions = new PollingSessions(this.world);
  }

  follow(listener: Listener<Video> = {}, hint: Hint = HEALTHY): this {
    this.sessions.follow<Video>("video", hint, {
      onUpdate: ({ status }) => void this.told.push(status),
      onComplete: () => void this.told.push("complete"),
      onError: (error) => {
        this.error = error;
        this.told.push("error");
      },
      ...listener,
    });
    return this;
  }

  get questions(): number {
    return this.world.asked.length;
  }

  /** The times between questions, in milliseconds. */
  get waits(): number[] {
    const instants = this.world.asked.map(({ at }) => at);
    return instants.slice(1).map((at, index) => at - (instants[index] ?? 0));
  }

  nothingIsLeft(): void {
    assert.equal(this.sessions.size, 0);
    assert.deepEqual(this.world.left(), { timers: 0, watchers: 0, pending: 0 });
  }
}

const between = (values: readonly number[], least: number, most: number): void => {
  assert.ok(values.length > 0);
  for (const value of values) assert.ok(value >= least && value <= most, `${value} is not from ${least} to ${most}`);
};

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const out: Server = () => Promise.reject(new TypeError("connection refused"));

test("a status is followed until it is final, and then nothing of the session is left", async () => {
  const answers = [moving(), moving(), READY];
  const page = new Page(() => reply(200, answers.shift())).follow();
  await page.world.advance(MINUTE);
  assert.deepEqual(page.told, ["MUX_PROCESSING", "MUX_PROCESSING", "READY", "complete"]);
  page.nothingIsLeft();
});

test("a healthy service is asked every two seconds on average, never sooner than after one or later than after three", async () => {
  const page = new Page(() => reply(200, moving())).follow();
  await page.world.advance(9 * MINUTE);
  between(page.world.asked.slice(0, 1).map(({ at }) => at), 0, 2 * SECOND);
  between(page.waits, SECOND, 3 * SECOND + 1);
  between([mean(page.waits)], 1_900, 2_100);
});

test("a degraded service is asked every five seconds, and every two when it is well again", async () => {
  let hint = DEGRADED;
  const page = new Page(() => reply(200, moving(hint))).follow({}, DEGRADED);
  await page.world.advance(4 * MINUTE);
  between(page.waits, 2_500, 7_501);
  const slow = page.questions;
  hint = HEALTHY;
  await page.world.advance(4 * MINUTE);
  between(page.waits.slice(slow + 1), SECOND, 3 * SECOND + 1);
});

test("while the breaker is open a page asks seldom, and finds out within half a minute that it is closed", async () => {
  let hint = PAUSED;
  const page = new Page(() => reply(200, moving(hint))).follow();
  await page.world.advance(5 * MINUTE);
  between(page.waits, 15 * SECOND, 30 * SECOND + 1);
  const before = page.questions;
  hint = HEALTHY;
  await page.world.advance(MINUTE);
  assert.ok(page.questions > before + 10);
});

test("after errors the waits grow to thirty seconds and no further, and an answer ends that", async () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const page = new Page(out, seed).follow();
    await page.world.advance(5 * MINUTE);
    const longest = [2, 6, 12, 23].map((seconds) => seconds * SECOND + 2);
    longest.forEach((most, index) => between([page.waits[index] ?? Infinity], 0, most));
    between(page.waits, 0, 30 * SECOND + 2);
    between([mean(page.waits.slice(4))], 12 * SECOND, 18 * SECOND);
    page.world.server = () => reply(200, moving());
    await page.world.advance(31 * SECOND);
    const since = page.questions;
    await page.world.advance(MINUTE);
    between(page.waits.slice(since), SECOND, 3 * SECOND + 1);
  }
});

test("a server that says when to come back is not asked before, whatever it answers with", async () => {
  for (const status of [408, 429, 500, 503]) {
    for (const [value, date] of [["20", ""], ["Mon, 05 Jan 2026 09:00:20 GMT", "Mon, 05 Jan 2026 09:00:00 GMT"]]) {
      const headers = { "Retry-After": value ?? "", Date: date ?? "" };
      const page = new Page(() => reply(status, null, headers)).follow();
      await page.world.advance(5 * MINUTE);
      between(page.waits, 20 * SECOND, 50 * SECOND + 2);
    }
  }
});

test("a server that wants to be left alone for longer than a session lasts ends it", async () => {
  const page = new Page(() => reply(503, null, { "Retry-After": "3600" })).follow();
  await page.world.advance(2 * SECOND);
  assert.deepEqual(page.told, ["error"]);
  page.nothingIsLeft();
});

test("a hint that makes no sense is the usual pace", async () => {
  for (const afterSeconds of [0, -5, Number.NaN, 0.001]) {
    const page = new Page(() => reply(200, moving({ afterSeconds, url: URL }))).follow();
    await page.world.advance(MINUTE);
    between(page.waits, 500, 3 * SECOND + 1);
  }
});

test("what the page has already is not sent again, and is no update", async () => {
  const page = new Page((_, headers) =>
    headers["If-None-Match"] === '"v1"' ? reply(304, null, { ETag: '"v1"' }) : reply(200, moving(), { ETag: '"v1"' }),
  ).follow();
  await page.world.advance(MINUTE);
  assert.deepEqual(page.told, ["MUX_PROCESSING"]);
  assert.ok(page.questions > 15);
  assert.deepEqual(page.world.asked[0]?.headers, {});
  assert.ok(page.world.asked.slice(1).every(({ headers }) => headers["If-None-Match"] === '"v1"'));
});

test("a status that moves to another address is asked for there, without the version of the first", async () => {
  const there = { ...HEALTHY, url: "/api/assets/ast_2" };
  const page = new Page((url) => reply(200, url === URL ? moving(there) : READY, { ETag: '"v1"' })).follow();
  await page.world.advance(MINUTE);
  assert.deepEqual(page.world.asked.map(({ url, headers }) => [url, headers]), [[URL, {}], [there.url, {}]]);
});

test("a session is over after ten minutes, whatever the server does", async () => {
  const servers: Server[] = [
    () => reply(200, moving()),
    () => reply(200, moving(PAUSED)),
    out,
    () => reply(503, null, { "Retry-After": "7" }),
    () => reply(200, []),
    () => new Promise(() => {}),
    () => ({ ...reply(200), json: () => Promise.reject(new SyntaxError("not JSON")) }),
    () => ({ ...reply(200), json: () => new Promise(() => {}) }),
    () => reply(304),
  ];
  for (const server of servers) {
    const page = new Page(server).follow();
    await page.world.advance(SESSION_MS);
    assert.equal(page.sessions.size, 0);
    assert.ok(["error", "complete"].includes(page.told.at(-1) ?? ""));
    const before = page.questions;
    await page.world.advance(SESSION_MS);
    assert.equal(page.questions, before);
    assert.equal(page.world.left().timers + page.world.left().watchers, 0);
  }
});

test("the end of the time is told as what it is", async () => {
  const page = new Page(() => reply(200, moving())).follow();
  await page.world.advance(SESSION_MS);
  assert.ok(page.error instanceof PollingError && page.error.reason === "time-limit");
  assert.equal(page.told.filter((word) => word === "error").length, 1);
});

test("a question that is not answered in ten seconds has failed, and its request is aborted", async () => {
  let aborted = 0;
  const page = new Page((_, __, signal) => {
    signal.addEventListener("abort", () => (aborted += 1));
    return new Promise(() => {});
  }).follow();
  await page.world.advance(2 * SECOND + ANSWER_MS);
  assert.equal(aborted, 1);
  await page.world.advance(MINUTE);
  assert.ok(page.questions > 1);
});

test("a refusal that asking again does not cure ends the session at once", async () => {
  for (const status of [400, 401, 403, 404, 410]) {
    const page = new Page(() => reply(status)).follow();
    await page.world.advance(MINUTE);
    assert.equal(page.questions, 1);
    assert.ok(page.error instanceof PollingError && page.error.status === status);
    page.nothingIsLeft();
  }
  const signedOut = Object.assign(new Error("signed out"), { transient: false });
  const page = new Page(() => Promise.reject(signedOut)).follow();
  await page.world.advance(MINUTE);
  assert.equal(page.error, signedOut);
  page.nothingIsLeft();
});

test("a page that nobody sees asks nothing, and asks at once when somebody comes back", async () => {
  const page = new Page(() => reply(200, moving())).follow();
  await page.world.advance(MINUTE);
  page.world.hide(true);
  const before = page.questions;
  await page.world.advance(5 * MINUTE);
  assert.equal(page.questions, before);
  page.world.hide(false);
  await page.world.advance(1);
  assert.equal(page.questions, before + 1);
  // Looking away and back again is no reason to ask.
  for (let times = 0; times < 20; times += 1) {
    page.world.hide(true);
    page.world.hide(false);
    await page.world.advance(1);
  }
  assert.equal(page.questions, before + 1);
});

test("coming back does not cut a backoff short", async () => {
  const page = new Page(() => reply(503, null, { "Retry-After": "60" })).follow();
  await page.world.advance(2 * SECOND);
  page.world.hide(true);
  await page.world.advance(10 * SECOND);
  page.world.hide(false);
  await page.world.advance(40 * SECOND);
  assert.equal(page.questions, 1);
});

test("a page that is hidden when it begins waits to be seen, and no longer than a session lasts", async () => {
  const page = new Page(() => reply(200, READY));
  page.world.hide(true);
  page.follow();
  await page.world.advance(SESSION_MS);
  assert.deepEqual([page.questions, page.told], [0, ["error"]]);
  page.nothingIsLeft();
});

test("a session that is stopped tells nothing more, not even an answer that is under way", async () => {
  for (const moment of [500, 2_050, 30_000]) {
    let aborted = 0;
    const page: Page = new Page(async (_, __, signal) => {
      signal.addEventListener("abort", () => (aborted += 1));
      await page.world.after(100);
      return reply(200, moving());
    }).follow();
    await page.world.advance(moment);
    const told = page.told.length;
    const underWay = page.world.pending;
    page.sessions.stop("video");
    assert.equal(aborted, underWay);
    await page.world.advance(MINUTE);
    assert.equal(page.told.length, told);
    page.nothingIsLeft();
  }
});

test("a session may be stopped, or begun anew, by what it tells", async () => {
  const stopping = new Page(() => reply(200, moving()));
  stopping.follow({ onUpdate: () => stopping.sessions.stop("video") });
  await stopping.world.advance(MINUTE);
  assert.equal(stopping.questions, 1);
  stopping.nothingIsLeft();
  const beginning = new Page(() => reply(200, READY));
  beginning.follow({ onComplete: () => void beginning.follow() });
  await beginning.world.advance(MINUTE);
  assert.deepEqual(beginning.told, ["READY", "READY", "complete"]);
  beginning.nothingIsLeft();
});

test("one name is followed once, and all sessions end together", async () => {
  const page = new Page(() => reply(200, moving())).follow().follow();
  page.sessions.follow("another", HEALTHY, {});
  assert.equal(page.sessions.size, 2);
  await page.world.advance(20 * SECOND);
  between([page.questions], 12, 30);
  page.sessions.stopAll();
  page.nothingIsLeft();
});

test("a listener that throws ends its session, and nothing of it is left", async () => {
  const page = new Page(() => reply(200, moving()));
  page.follow({
    onUpdate: () => {
      throw new RangeError("of the page");
    },
  });
  await page.world.advance(MINUTE);
  assert.ok(page.error instanceof RangeError);
  assert.equal(page.questions, 1);
  page.nothingIsLeft();
});
