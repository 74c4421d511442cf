// Facts about ten thousand pages that meet an outage at the same moment: the real module, in virtual time, from a seed.
// Another one: SEED=7 npm test.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { PollingSessions, type Reply } from "../../web/polling.js";
import { VirtualWorld, reply } from "./virtual.js";

const CLIENTS = 10_000;
const SLOT_MS = 200;
/** The most that a slot may get, as a multiple of its fair share. */
const MOST = 1.5;
const PACE_MS = 2_000;
const BEFORE_MS = 6_000;
const AFTER_MS = 30_000;
const SEED = Number(process.env["SEED"] ?? 20_260_105);

/** A question: when, counted from the moment of the outage, and how often its page had failed in a row. */
interface Question {
  readonly at: number;
  readonly failures: number;
}

/** What a page is answered that asks during the outage. */
type Outage = (url: string) => Promise<Reply> | Reply;

const refused: Outage = () => Promise.reject(new TypeError("connection refused"));
const unavailable: Outage = () => reply(503, null, { "Retry-After": "5" });
const silent: Outage = () => new Promise(() => {});

/**
 * Every question since the outage. It is as bad as can be: the service answers ever later until each page has a question
 * under way, and then all of them fail in the same millisecond.
 */
async function questions(outage: Outage, outageMs: number, seed: number): Promise<Question[]> {
  const asked: Question[] = [];
  const failures = new Map<string, number>();
  const hanging: (() => void)[] = [];
  let state: "well" | "hanging" | "out" = "well";
  let began = 0;
  const world = new VirtualWorld((url) => {
    const failed = failures.get(url) ?? 0;
    if (state !== "hanging") asked.push({ at: world.now() - began, failures: failed });
    if (state === "well") {
      failures.delete(url);
      return reply(200, { poll: { afterSeconds: PACE_MS / 1_000, url } });
    }
    failures.set(url, failed + 1);
    if (state === "out") return outage(url);
    return new Promise((_, reject) => void hanging.push(() => reject(new TypeError("connection reset"))));
  }, seed);
  const sessions = new PollingSessions(world);
  for (let number = 0; number < CLIENTS; number += 1) {
    sessions.follow(String(number), { afterSeconds: PACE_MS / 1_000, url: `/api/assets/${number}` }, {});
  }
  await world.advance(BEFORE_MS);
  state = "hanging";
  await world.advance(2 * PACE_MS);
  assert.equal(hanging.length, CLIENTS);
  state = "out";
  began = world.now();
  asked.length = 0;
  for (const fail of hanging) fail();
  await world.advance(outageMs);
  state = "well";
  await world.advance(AFTER_MS);
  assert.equal(sessions.size, CLIENTS);
  sessions.stopAll();
  return asked;
}

const slotOf = ({ at }: Question): number => Math.ceil(at / SLOT_MS) - 1;

function counted(all: readonly Question[]): Map<number, number> {
  const slots = new Map<number, number>();
  for (const question of all) slots.set(slotOf(question), (slots.get(slotOf(question)) ?? 0) + 1);
  return slots;
}

/**
 * The most that a slot got of the questions after failures, as a multiple of its fair share. That of one round, the n-th
 * question in a row, is its questions over the slots from its first to its last; where rounds overlap, shares add up.
 */
function worstWhileBackingOff(all: readonly Question[]): number {
  const rounds = new Set(all.map(({ failures }) => failures));
  const shares = new Map<number, number>();
  for (const number of rounds) {
    const round = all.filter(({ failures }) => failures === number);
    const slots = [...counted(round).keys()];
    const [first, last] = [Math.min(...slots), Math.max(...slots)];
    for (let slot = first; slot <= last; slot += 1) {
      shares.set(slot, (shares.get(slot) ?? 0) + round.length / (last - first + 1));
    }
  }
  return Math.max(...[...counted(all)].map(([slot, count]) => count / (shares.get(slot) ?? 0)));
}

/** What passes is nobody's herd any more: all pages at their usual pace, in equal parts. */
function worstAfterwards(all: readonly Question[]): number {
  return Math.max(...counted(all).values()) / ((CLIENTS * SLOT_MS) / PACE_MS);
}

async function holds(context: TestContext, outage: Outage, outageMs: number): Promise<void> {
  const all = await questions(outage, outageMs, SEED);
  const backingOff = worstWhileBackingOff(all.filter(({ at }) => at <= outageMs));
  const afterwards = worstAfterwards(all.filter(({ at }) => at > outageMs));
  context.diagnostic(
    `seed ${SEED}: ${all.length} questions; worst slot ${backingOff.toFixed(2)} of its fair share, ` +
      `${afterwards.toFixed(2)} after the service is back`,
  );
  assert.ok(backingOff <= MOST, `${backingOff} while backing off, seed ${SEED}`);
  assert.ok(afterwards <= MOST, `${afterwards} afterwards, seed ${SEED}`);
}

const FACT = "10,000 clients backing off: no two-hundred-millisecond slot gets more than 1.5 x its fair share";

test(`${FACT}, connections refused for two minutes`, (context) => holds(context, refused, 120_000));
test(`${FACT}, nor when it was only a second`, (context) => holds(context, refused, 1_000));
test(`${FACT}, nor when it was ten`, (context) => holds(context, refused, 10_000));
test(`${FACT}, all told the same Retry-After`, (context) => holds(context, unavailable, 120_000));
test(`${FACT}, no answer at all`, (context) => holds(context, silent, 120_000));

test("10,000 clients that were told to pause at once do not come back at once", async (context) => {
  const paused: Outage = (url) => reply(200, { poll: { afterSeconds: 15, pace: "paused", url } });
  const all = await questions(paused, 60_000, SEED);
  const afterwards = worstAfterwards(all.filter(({ at }) => at > 60_000));
  context.diagnostic(`seed ${SEED}: worst slot ${afterwards.toFixed(2)} of its fair share`);
  assert.ok(afterwards <= MOST, `${afterwards}, seed ${SEED}`);
});
