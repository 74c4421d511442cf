// Owns the page a share link opens: asking whether it may be watched, renewing that, and saying why not.

import { call, open, rememberedPerson, serverNow, signOut } from "./api.js";
import { Gate } from "./gate.js";
import { Grant } from "./grant.js";
import { dateAndTime, part, waitInWords } from "./page.js";
import { Player } from "./player.js";
import { Playlist } from "./playlist.js";
import { sleep } from "./timing.js";
import { Watched } from "./watched.js";

const TOKEN = location.pathname.split("/").filter(Boolean).at(-1) ?? "";
const PATH = `/api/share/${TOKEN}`;
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
  "share-paused": ["This link is paused", "It was watched far more often than links usually are. Ask the person who shared it."],
  "asset-deleted": ["This video has been deleted", "The person who shared it has removed it."],
};
// One that has expired may be extended, and then what was shown counts again.
const OVER = ["share-revoked", "not-found"];
const LOCKS = { "share-password-required": "password", "share-code-required": "email", "share-sign-in-required": "signIn" };

const grant = new Grant(TOKEN);
const gate = new Gate(PATH, grant, { onShown: ask, onOver: refused });
const playlist = new Playlist(choose);
const player = new Player(part("video"), { onRefused: streamRefused, onFailed: streamFailed });
const watched = new Watched(PATH, grant, part("video"));
// Who watches is told only to a link that asks for it.
let send = open;
let asking = null;
let round = new AbortController();
let chosen = null;
let listed = false;
let loaded = false;
let broken = false;
let begin = {};
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
  if (asking) return;
  const mine = new AbortController();
  asking = mine;
  const current = (listener) => (answer) => {
    if (asking !== mine) return;
    asking = null;
    listener(answer);
  };
  send("GET", address(), { headers: grant.headers, signal: mine.signal }).then(current(granted), current(refused));
}

function address() {
  const query = new URLSearchParams({ ...(!listed && { include: "playlist" }), ...(chosen && { asset: chosen }) });
  return [PATH, query.toString()].filter(Boolean).join("?");
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

// The list stays usable whatever becomes of one video of it.
function choose(id, title) {
  asking?.abort();
  asking = null;
  chosen = id;
  failures = 0;
  reloads = [];
  halt({ from: 0, play: true });
  playlist.mark(id);
  part("retry").hidden = true;
  if (!part("watch").hidden) part("title").textContent = title;
  ask();
}

function granted(answer) {
  const { assetId, playbackUrl, renewAfter, linkExpiresAt } = answer;
  failures = 0;
  watched.of(assetId);
  watched.tell();
  grant.keep(answer.grant);
  if (answer.playlist) playlist.fill(answer.playlist);
  listed = true;
  playlist.mark(assetId, { plays: true });
  showVideo(answer);
  if (loaded && !broken) player.renew(playbackUrl);
  else load(playbackUrl);
  const instants = [renewAfter, linkExpiresAt].map((instant) => Date.parse(instant)).filter(Number.isFinite);
  askAt(Math.max(serverNow() + SHORTEST_RENEWAL_MS, Math.min(...instants)));
}

function load(playbackUrl) {
  loaded = true;
  broken = false;
  player.load(playbackUrl, begin);
  begin = {};
}

// What stops here begins again as `next` says, once the link allows it.
function halt(next) {
  player.stop();
  loaded = false;
  broken = false;
  begin = next;
}

function refused(problem) {
  const lock = LOCKS[problem.slug] ?? (send === call && problem.status === 401 ? "signIn" : null);
  if (lock) return locked(lock);
  if (problem.transient === false && problem.slug !== "asset-not-ready") return end(problem);
  failures += 1;
  const backoff = Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (failures - 1));
  const seconds = (problem.retryAfter ?? backoff) * (1 + Math.random() / 10);
  if (!loaded || broken) showMessage(waitingFor(problem, seconds));
  askAt(serverNow() + seconds * 1000);
}

function locked(lock) {
  if (lock === "signIn" && send === open && rememberedPerson()) {
    send = call;
    return ask();
  }
  if (lock === "signIn") {
    signOut();
    send = call;
  }
  // The password is asked for before the code: without one, nothing that was shown counts any more.
  if (lock === "password") grant.drop();
  if (loaded) halt({ from: part("video").currentTime, play: player.playing });
  for (const id of ["watch", "message", "retry"]) part(id).hidden = true;
  playlist.show(false);
  gate.ask(lock);
  document.title = `${part("gate-title").textContent} – ${BRAND}`;
}

function end(problem) {
  const interrupted = loaded || gate.shut;
  const others = problem.slug === "asset-deleted" && playlist.several;
  round.abort();
  halt({});
  if (OVER.includes(problem.slug)) grant.drop();
  gate.leave();
  part("retry").hidden = true;
  showMessage(REFUSALS[problem.slug] ?? [problem.title, problem.detail]);
  playlist.show(others);
  if (interrupted) part("message-title").focus();
}

async function streamRefused() {
  if (broken) return;
  broken = true;
  const { signal } = round;
  reloads = [...reloads.filter((at) => Date.now() - at < RELOADS_WITHIN_MS), Date.now()];
  if (reloads.length > RELOADS) return streamFailed();
  await sleep((reloads.length - 1) * 1000, signal);
  if (!signal.aborted) ask();
}

function streamFailed() {
  watched.tell(true);
  broken = true;
  showMessage(["The video cannot be played just now", "Try again. If it keeps failing, try another browser."]);
  part("retry").hidden = false;
}

function waitingFor(problem, seconds) {
  if (problem.slug === "asset-not-ready") {
    return ["The video is not ready yet", "It is still being prepared. It will show here by itself: there is no need to reload."];
  }
  if (problem.status === 429) {
    return ["Too many requests just now", `Nothing is wrong with the link. This page tries again by itself ${waitInWords(seconds)}.`];
  }
  return [problem.title ?? "Something went wrong", `${problem.detail ?? ""} This page tries again by itself.`.trim()];
}

function showVideo({ title, linkExpiresAt }) {
  const unlocked = gate.shut;
  gate.leave();
  part("message").hidden = true;
  part("retry").hidden = true;
  part("watch").hidden = false;
  playlist.show(true);
  part("title").textContent = title;
  part("until").textContent = linkExpiresAt ? `This link works until ${dateAndTime(linkExpiresAt)}.` : "";
  document.title = `${title} – ${BRAND}`;
  if (unlocked) part("title").focus();
}

function showMessage([title, detail]) {
  gate.leave();
  part("watch").hidden = !loaded;
  part("message").hidden = false;
  for (const [id, text] of [["message-title", title], ["message-detail", detail]]) {
    if (part(id).textContent !== text) part(id).textContent = text;
  }
  document.title = `${title} – ${BRAND}`;
}
