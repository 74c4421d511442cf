// Owns following a status until it is final: one session for each thing that is followed, and the end of every session.
// polling.js is emitted from polling.ts: change the latter, then `npm run emit` in tests/web.
import { Schedule } from "./pace.js";
/** How long a session may last, seen or not (S1-042). */
export const SESSION_MS = 10 * 60_000;
/** A question that is not answered by then has failed. */
export const ANSWER_MS = 10_000;
/** Why a session ended without a final status. */
export class PollingError extends Error {
    reason;
    status;
    name = "PollingError";
    /** `status` is that of the answer that refused, or 0 when the time was over. */
    constructor(reason, status, options) {
        super(reason === "refused" ? `the status was refused with ${status}` : "the time for following is over", options);
        this.reason = reason;
        this.status = status;
    }
}
/** The sessions of a page, by the name of what each follows. Those that have ended are not kept. */
export class PollingSessions {
    #world;
    #sessions = new Map();
    constructor(world) {
        this.#world = world;
    }
    get size() {
        return this.#sessions.size;
    }
    has(name) {
        return this.#sessions.has(name);
    }
    /** Begins a session as the hint of a status says. One of the same name ends silently. */
    follow(name, hint, listener) {
        this.stop(name);
        const session = new Session(this.#world, hint, listener, () => {
            if (this.#sessions.get(name) === session)
                this.#sessions.delete(name);
        });
        this.#sessions.set(name, session);
        session.begin();
    }
    /** Ends a session, silently and at once: no listener is called any more, no request is under way. */
    stop(name) {
        this.#sessions.get(name)?.stop();
    }
    stopAll() {
        for (const session of [...this.#sessions.values()])
            session.stop();
    }
}
/** One status that is followed. It ends in `#end` and nowhere else, and after that nothing of it is left. */
class Session {
    #world;
    #listener;
    #onEnd;
    #schedule;
    #hint;
    /** The `ETag` of the last answer. */
    #version = null;
    #ended = false;
    #deadline = 0;
    #dueAt = 0;
    #limit;
    #timer = null;
    #request = null;
    #unwatch = () => { };
    constructor(world, hint, listener, onEnd) {
        this.#world = world;
        this.#hint = hint;
        this.#listener = listener;
        this.#onEnd = onEnd;
        this.#schedule = new Schedule(() => world.random());
    }
    begin() {
        const now = this.#world.now();
        this.#deadline = now + SESSION_MS;
        this.#limit = this.#world.setTimer(() => this.#timeOver(), SESSION_MS);
        this.#unwatch = this.#world.watchHidden(() => this.#seenOrNot());
        this.#waitUntil(this.#schedule.first(now, this.#hint));
    }
    stop() {
        this.#end(() => { });
    }
    // What would be asked after the end is not waited for.
    #waitUntil(instant) {
        if (instant >= this.#deadline)
            return this.#timeOver();
        this.#dueAt = instant;
        this.#seenOrNot();
    }
    // A page that nobody sees does not ask. When somebody comes back it asks at once, if it would have asked meanwhile.
    #seenOrNot() {
        this.#clearTimer();
        if (this.#request || this.#world.hidden())
            return;
        const wait = Math.max(0, this.#dueAt - this.#world.now());
        this.#timer = this.#world.setTimer(() => void this.#ask(), wait);
    }
    async #ask() {
        this.#timer = null;
        const request = new AbortController();
        this.#request = request;
        const began = this.#world.now();
        const limit = this.#world.setTimer(() => request.abort(), ANSWER_MS);
        const outcome = await this.#outcome(request.signal);
        this.#world.clearTimer(limit);
        this.#request = null;
        if (this.#ended)
            return;
        try {
            this.#goOn(outcome, this.#world.now() - began);
        }
        catch (error) {
            // A listener threw. One that has not heard the end yet hears of that, and of nothing more.
            if (this.#ended)
                throw error;
            this.#end(() => this.#listener.onError?.(error instanceof Error ? error : new Error(String(error))));
        }
    }
    async #outcome(signal) {
        const headers = this.#version ? { "If-None-Match": this.#version } : {};
        try {
            return await orAborted(signal, this.#world.fetch(this.#hint.url, { headers, signal }).then((reply) => this.#read(reply)));
        }
        catch (error) {
            if (isRefusal(error))
                return { kind: "refused", error };
            return { kind: "failed", retryAfterMs: 0 };
        }
    }
    async #read(reply) {
        const { status, headers } = reply;
        if (status === 304 && this.#version)
            return { kind: "unchanged" };
        if (status === 200) {
            return { kind: "changed", body: (await reply.json()), version: headers.get("ETag") };
        }
        if (mayPass(status))
            return { kind: "failed", retryAfterMs: retryAfterMs(headers) };
        return { kind: "refused", error: new PollingError("refused", status) };
    }
    #goOn(outcome, tookMs) {
        const now = this.#world.now();
        switch (outcome.kind) {
            case "changed":
                return this.#changed(outcome.body, outcome.version);
            case "unchanged":
                return this.#waitUntil(this.#schedule.afterAnswer(now, this.#hint));
            case "failed":
                return this.#waitUntil(this.#schedule.afterError(now, tookMs, outcome.retryAfterMs));
            case "refused":
                return this.#end(() => this.#listener.onError?.(outcome.error));
        }
    }
    #changed(body, version) {
        this.#listener.onUpdate?.(body);
        if (this.#ended)
            return;
        const { poll } = body;
        if (!poll)
            return this.#end(() => this.#listener.onComplete?.(body));
        // A version is one of what stands at one address.
        this.#version = poll.url === this.#hint.url ? version : null;
        this.#hint = poll;
        this.#waitUntil(this.#schedule.afterAnswer(this.#world.now(), poll));
    }
    #timeOver() {
        this.#end(() => this.#listener.onError?.(new PollingError("time-limit", 0)));
    }
    #end(tell) {
        if (this.#ended)
            return;
        this.#ended = true;
        this.#clearTimer();
        this.#world.clearTimer(this.#limit);
        this.#unwatch();
        this.#request?.abort();
        this.#onEnd();
        tell();
    }
    #clearTimer() {
        if (this.#timer !== null)
            this.#world.clearTimer(this.#timer);
        this.#timer = null;
    }
}
// A request whose abortion is not heard must not keep its session waiting.
function orAborted(signal, work) {
    return new Promise((resolve, reject) => {
        const abort = () => reject(new Error("no answer in time"));
        signal.addEventListener("abort", abort, { once: true });
        work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
}
function isRefusal(error) {
    return error instanceof Error && error.transient === false;
}
/** Whether the same question may be answered later. */
function mayPass(status) {
    return status === 304 || status === 408 || status === 429 || status >= 500;
}
// A time is compared with that of the answer: the clock of a viewer may be wrong by hours.
function retryAfterMs(headers) {
    const header = headers.get("Retry-After") ?? "";
    const milliseconds = /^\d+$/.test(header)
        ? Number(header) * 1_000
        : Date.parse(header) - Date.parse(headers.get("Date") ?? "");
    return milliseconds > 0 ? milliseconds : 0;
}
/** The world of a page; only `fetch`, which knows who is signed in, is its own. */
export function browser(fetch) {
    return {
        now: () => performance.now(),
        setTimer: (run, milliseconds) => setTimeout(run, milliseconds),
        clearTimer: (timer) => clearTimeout(timer),
        random: () => Math.random(),
        fetch,
        hidden: () => document.hidden,
        watchHidden(listener) {
            document.addEventListener("visibilitychange", listener);
            return () => document.removeEventListener("visibilitychange", listener);
        },
    };
}
