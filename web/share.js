// Owns the page a share link opens: asking whether it may be watched, renewing that, and saying why not.

import { open, serverNow } from "./api.js";
import { dateAndTime, part } from "./page.js";
import { Player } from "./player.js";
import { sleep } from "./timing.js";

const TOKEN = location.pathname.split("/").filter(Boolean).at(-1) ?? "";
const BRAND = "Motion Mavericks Portal";
const FIRST_WAIT_SECONDS = 2;
const LONGEST_WAIT_SECONDS = 30;
const SHORTEST_RENEWAL_MS = 5_000;
const LONGEST_SLEEP_MS = 86_400_000;
const RELOADS = 3;
const RELOADS_WITHIN_MS = 60_000;

const REFUSALS = {
  "share-revoked": ["This link has been taken back", "The person who shared the video no longer allows it to be watched. Ask them for a new link."],
  "share-expired": ["This link has expired", "Its time is over. Ask the person who shared it for a new link."],
  "not-found": ["This link does not work", "Check that you have the whole address, or ask the person who sent it for a new link."],
  "asset-deleted": ["This video has been deleted", "The person who shared it has removed it."],
};

const player = new Player(part("video"), { onRefused: streamRefused, onFailed: streamFailed });
let asking = null;
let round = new AbortController();
let loaded = false;
let broken = false;
let failures = 0;
let dueAt = Infinity;
let reloads = [];

part("retry").addEventListener("click", () => {
  part("retry").hidden = true;
  reloads = [];
  ask();
});
part("video").addEventListener("play", askIfDue);
document.addEventListener("visibilitychange", askIfDue);
addEventListener("pageshow", askIfDue);
addEventListener("online", () => failures > 0 && ask());
ask();

/** Asks whether the link may be watched; several reasons at once make one request. */
function ask() {
  round.abort();
  round = new AbortController();
  dueAt = Infinity;
  asking ??= open("GET", `/api/share/${TOKEN}`)
    .then(granted, refused)
    .finally(() => {
      asking = null;
    });
}

function askIfDue() {
  if (!document.hidden && serverNow() >= dueAt) ask();
}

// A tab that is neither seen nor playing waits until somebody comes back to it.
async function askAt(instant) {
  const { signal } = round;
  dueAt = instant;
  while (serverNow() < instant && !signal.aborted) {
    await sleep(Math.min(instant - serverNow(), LONGEST_SLEEP_MS), signal);
  }
  if (!signal.aborted && (!document.hidden || player.playing)) ask();
}

function granted({ playbackUrl, renewAfter, title, linkExpiresAt }) {
  failures = 0;
  showVideo(title, linkExpiresAt);
  if (loaded && !broken) player.renew(playbackUrl);
  else load(playbackUrl);
  const instants = [renewAfter, linkExpiresAt].map((instant) => Date.parse(instant)).filter(Number.isFinite);
  askAt(Math.max(serverNow() + SHORTEST_RENEWAL_MS, Math.min(...instants)));
}

function load(playbackUrl) {
  loaded = true;
  broken = false;
  player.load(playbackUrl);
}

function refused(problem) {
  if (problem.transient === false && problem.slug !== "asset-not-ready") return end(problem);
  failures += 1;
  const backoff = Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (failures - 1));
  const seconds = (problem.retryAfter ?? backoff) * (1 + Math.random() / 10);
  if (!loaded || broken) showMessage(waitingFor(problem, seconds));
  askAt(serverNow() + seconds * 1000);
}

function end(problem) {
  const interrupted = loaded;
  round.abort();
  player.stop();
  loaded = false;
  part("watch").hidden = true;
  part("retry").hidden = true;
  showMessage(REFUSALS[problem.slug] ?? [problem.title, problem.detail]);
  if (interrupted) part("message-title").focus();
}

async function streamRefused() {
  if (broken) return;
  broken = true;
  reloads = [...reloads.filter((at) => Date.now() - at < RELOADS_WITHIN_MS), Date.now()];
  if (reloads.length > RELOADS) return streamFailed();
  await sleep((reloads.length - 1) * 1000);
  ask();
}

function streamFailed() {
  broken = true;
  part("retry").hidden = false;
  showMessage(["The video cannot be played just now", "Try again. If it keeps failing, try another browser."]);
}

function waitingFor(problem, seconds) {
  if (problem.slug === "asset-not-ready") {
    return ["The video is not ready yet", "It is still being prepared. It will show here by itself: there is no need to reload."];
  }
  if (problem.status === 429) {
    return ["Too many requests just now", `This page tries again by itself in about ${Math.ceil(seconds)} seconds.`];
  }
  return [problem.title ?? "Something went wrong", `${problem.detail ?? ""} This page tries again by itself.`.trim()];
}

function showVideo(title, linkExpiresAt) {
  part("message").hidden = true;
  part("retry").hidden = true;
  part("watch").hidden = false;
  part("title").textContent = title;
  part("until").textContent = linkExpiresAt ? `This link works until ${dateAndTime(linkExpiresAt)}.` : "";
  document.title = `${title} – ${BRAND}`;
}

function showMessage([title, detail]) {
  part("message").hidden = false;
  for (const [id, text] of [["message-title", title], ["message-detail", detail]]) {
    if (part(id).textContent !== text) part(id).textContent = text;
  }
  document.title = `${title} – ${BRAND}`;
}
