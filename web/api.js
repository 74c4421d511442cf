// Owns every call to our own API: the session's token, problem documents and the server's clock.

const PERSON = "person";
const SPARE_MS = 10_000;
const DEFAULT_PROBLEM = "Something went wrong";

let session = null;
let signingIn = null;
let clockOffset = 0;

/** A refusal or failure, as RFC 9457 tells it; `status` is 0 when no answer came at all. */
export class Problem extends Error {
  constructor({ slug = "", title = DEFAULT_PROBLEM, detail = "", status = 0, retryAfter = null }) {
    super(detail ? `${title}: ${detail}` : title);
    Object.assign(this, { name: "Problem", slug, title, detail, status, retryAfter });
  }

  /** Whether the same request may succeed later. */
  get transient() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** The server's time: a viewer's clock may be wrong by hours, and tokens live for seconds. */
export const serverNow = () => Date.now() + clockOffset;

export const rememberedPerson = () => sessionStorage.getItem(PERSON);

export const people = () => open("GET", "/sign-in/people");

export async function signIn(person) {
  session = null;
  sessionStorage.setItem(PERSON, person);
  try {
    await freshToken();
  } catch (error) {
    signOut();
    throw error;
  }
}

export function signOut() {
  session = null;
  signingIn = null;
  sessionStorage.removeItem(PERSON);
}

/** A request that needs no session. */
export async function open(method, path, options = {}) {
  return read(await send(method, path, options));
}

/** A request as the person who is signed in. */
export async function call(method, path, options = {}) {
  return read(await ask(method, path, options));
}

/** The same, for who reads the answer themselves, whatever it is. */
export async function ask(method, path, options = {}) {
  const response = await send(method, path, { ...options, token: await freshToken() });
  if (response.status !== 401 || !session) return response;
  session = null;
  return send(method, path, { ...options, token: await freshToken() });
}

/** Keeps our token on our own origin, whatever address a response names. */
export function ownPath(url) {
  const { pathname, search } = new URL(url, location.origin);
  return pathname + search;
}

async function freshToken() {
  if (session && session.expiresAt - serverNow() > SPARE_MS) return session.token;
  signingIn ??= requestToken().finally(() => {
    signingIn = null;
  });
  return signingIn;
}

async function requestToken() {
  const person = rememberedPerson();
  if (!person) throw new Problem({ title: "You are signed out", detail: "Sign in to go on.", status: 401 });
  const { token, expiresAt } = await open("POST", "/sign-in/session", { body: { person } });
  if (rememberedPerson() === person) session = { token, expiresAt: Date.parse(expiresAt) };
  return token;
}

async function send(method, path, { body, headers = {}, token, signal } = {}) {
  const asked = Date.now();
  const response = await fetch(path, {
    method,
    signal,
    cache: "no-store",
    credentials: "same-origin",
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(token && { Authorization: `Bearer ${token}` }),
      ...traceContext(),
      ...headers,
    },
    body: body && JSON.stringify(body),
  }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "No connection", detail: "The portal could not be reached. Check your network." });
  });
  noteClock(response, asked);
  return response;
}

async function read(response) {
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw problemOf(response, answer);
  return answer;
}

// Every call begins a trace (W3C Trace Context). Nothing here tells of it: the server does, with the time at
// which we say that we began.
function traceContext() {
  const hex = (count) =>
    Array.from(crypto.getRandomValues(new Uint8Array(count)), (it) => it.toString(16).padStart(2, "0")).join("");
  return { traceparent: `00-${hex(16)}-${hex(8)}-00`, tracestate: `portal=${Math.round(serverNow())}` };
}

function problemOf(response, answer) {
  return new Problem({
    slug: String(answer?.type ?? "").split("/problems/")[1],
    title: answer?.title || DEFAULT_PROBLEM,
    detail: answer?.detail || (answer?.title ? "" : `The portal answered ${response.status}.`),
    status: response.status,
    retryAfter: secondsUntil(response.headers.get("Retry-After")),
  });
}

function secondsUntil(header) {
  if (!header) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - serverNow()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

// The Date header counts whole seconds, so a difference below two of them says nothing.
function noteClock(response, asked) {
  const stamped = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(stamped)) return;
  const offset = stamped + 500 - (asked + Date.now()) / 2;
  clockOffset = Math.abs(offset) < 2_000 ? 0 : offset;
}
