// Owns moving one file to its upload address in chunks, and remembering how far it came.

import { Problem, call } from "./api.js";
import { pause } from "./timing.js";

const CHUNK = 8 * 1024 * 1024;
const RETRIES = 5;
const LONGEST_WAIT_SECONDS = 30;
const SILENCE_MS = 60_000;
const MEMORY = "upload|";
const MEMORY_DAYS = 7;

/**
 * One file on its way. `onState(state, problem?)` tells `opening`, `uploading`, `retrying`, `paused`, `stalled`,
 * `arrived`, `cancelled` or `failed`; `onProgress(sent)` the bytes; `onOpened(upload)` that the server knows it.
 */
export class Transfer {
  #memory;
  #stop = new AbortController();
  #opening = Promise.resolve();

  onState = () => {};
  onProgress = () => {};
  onOpened = () => {};

  constructor(file, person) {
    this.file = file;
    this.#memory = new Memory(file, person);
  }

  /** The upload an earlier visit began for this file, if it can still go on or has gone through since. */
  async earlier() {
    if (!this.#memory.id) return null;
    try {
      const upload = await this.#read();
      if (["AWAITING_UPLOAD", "MUX_PROCESSING", "READY"].includes(upload.status)) return upload;
    } catch (error) {
      if (error.transient !== false) throw error;
    }
    this.#memory.forget();
    return null;
  }

  forget() {
    this.#memory.forget();
  }

  /** Begins, or goes on from where it stopped. */
  async start(title) {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    try {
      this.onState("opening");
      this.#opening = persist(() => this.#open(title), signal, () => this.onState("retrying"));
      const upload = await this.#opening;
      signal.throwIfAborted();
      this.onOpened(upload);
      if (upload.status === "AWAITING_UPLOAD") await this.#send(upload.uploadUrl, signal);
      else if (!["MUX_PROCESSING", "READY"].includes(upload.status)) throw closed();
      this.#memory.forget();
      this.onState("arrived");
    } catch (error) {
      if (signal.aborted) return;
      if (error.transient) return this.onState("stalled", error);
      this.#memory.forget();
      this.onState("failed", error);
    }
  }

  pause() {
    this.#stop.abort();
    this.onState("paused");
  }

  /** Gives the upload up; a file that has already arrived stays, and says so. */
  async cancel() {
    this.#stop.abort();
    await this.#opening.catch(() => {});
    try {
      if (this.#memory.id) await call("DELETE", `/api/uploads/${encodeURIComponent(this.#memory.id)}`);
      this.#memory.forget();
      this.onState("cancelled");
    } catch (error) {
      if (error.status !== 409) return this.onState("stalled", error);
      this.#memory.forget();
      this.onState("arrived");
    }
  }

  async #open(title) {
    if (this.#memory.id) return this.#read();
    const upload = await call("POST", "/api/uploads", {
      headers: { "Idempotency-Key": this.#memory.key(title) },
      body: { title, contentType: contentType(this.file), size: this.file.size },
    });
    this.#memory.keep({ id: upload.id, offset: 0 });
    return upload;
  }

  #read() {
    return call("GET", `/api/uploads/${encodeURIComponent(this.#memory.id)}`);
  }

  async #send(url, signal) {
    const { size } = this.file;
    const retrying = () => this.onState("retrying");
    let offset = this.#memory.offset;
    let asking = this.#memory.begun;
    while (offset < size) {
      offset = await persist(
        async (failures) => {
          if (failures > 0 || asking) offset = await this.#ask(url, offset, signal);
          asking = false;
          this.onState("uploading");
          this.onProgress(offset);
          return offset < size ? this.#sendChunk(url, offset, signal) : offset;
        },
        signal,
        retrying,
      );
      this.#memory.keep({ offset });
      this.onProgress(offset);
    }
  }

  /** Sends one chunk and returns how much has arrived. */
  async #sendChunk(url, offset, signal) {
    const { size } = this.file;
    const end = Math.min(offset + CHUNK, size);
    this.#memory.keep({ begun: true });
    const answer = await put(url, this.file.slice(offset, end), {
      signal,
      type: contentType(this.file),
      range: `bytes ${offset}-${end - 1}/${size}`,
      onProgress: (sent) => this.onProgress(offset + sent),
    });
    let arrived = arrivedOf(answer, size) ?? end;
    if (answer.status === 308 && arrived === size) arrived = await this.#ask(url, offset, signal);
    if (arrived <= offset) throw new Problem({ title: "Part of the file did not arrive" });
    return arrived;
  }

  // A browser may hide the Range header of another origin: then what was acknowledged before is the best answer.
  async #ask(url, known, signal) {
    const { size } = this.file;
    const answer = await put(url, new Blob([]), { signal, type: contentType(this.file), range: `bytes */${size}` });
    return arrivedOf(answer, size) ?? known;
  }
}

/** What is kept between visits about one person's file: never its address, which opens the upload to anyone. */
class Memory {
  #name;
  #kept;

  constructor(file, person) {
    tidy();
    this.#name = MEMORY + [person, file.name, file.size, file.lastModified].join("|");
    this.#kept = JSON.parse(localStorage.getItem(this.#name) ?? "{}");
  }

  get id() {
    return this.#kept.id;
  }

  get offset() {
    return this.#kept.offset ?? 0;
  }

  get begun() {
    return this.#kept.begun ?? false;
  }

  /** The same key for the same request, so that a lost answer does not make a second video. */
  key(title) {
    if (this.#kept.title !== title) this.keep({ title, key: crypto.randomUUID() });
    return this.#kept.key;
  }

  keep(changes) {
    this.#kept = { ...this.#kept, ...changes, at: Date.now() };
    localStorage.setItem(this.#name, JSON.stringify(this.#kept));
  }

  forget() {
    this.#kept = {};
    localStorage.removeItem(this.#name);
  }
}

function tidy() {
  const oldest = Date.now() - MEMORY_DAYS * 86_400_000;
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(MEMORY) && !(JSON.parse(localStorage.getItem(name)).at > oldest)) localStorage.removeItem(name);
  }
}

async function persist(attempt, signal, onRetry) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt(failures);
    } catch (error) {
      if (signal.aborted || !error.transient || failures === RETRIES) throw error;
      onRetry();
      const asked = Math.min(error.retryAfter ?? 0, LONGEST_WAIT_SECONDS);
      await pause(Math.max(1.2 * asked, 2 ** failures) * 1000, signal);
      signal.throwIfAborted();
    }
  }
}

function put(url, body, { signal, type, range, onProgress }) {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let watch;
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(() => request.abort(), SILENCE_MS);
    };
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("Content-Range", range);
    request.upload.onprogress = (event) => {
      heard();
      onProgress?.(event.loaded);
    };
    request.onload = () => {
      const { status } = request;
      if (status === 308 || (status >= 200 && status < 300)) resolve({ status, range: request.getResponseHeader("Range") });
      else reject(refusal(status));
    };
    request.onerror = () => reject(new Problem({ title: "No connection", detail: "The file could not be sent." }));
    request.onabort = request.onerror;
    const stop = () => request.abort();
    request.onloadend = () => {
      clearTimeout(watch);
      signal.removeEventListener("abort", stop);
    };
    signal.addEventListener("abort", stop);
    heard();
    request.send(body);
  });
}

function arrivedOf({ status, range }, size) {
  if (status !== 308) return size;
  const last = /^bytes=0-(\d+)$/.exec(range ?? "")?.[1];
  return last === undefined ? null : Number(last) + 1;
}

function refusal(status) {
  const problem = new Problem({ title: "The file could not be sent", detail: `The storage answered ${status}.`, status });
  return problem.transient ? problem : closed();
}

function closed() {
  return new Problem({
    title: "This upload can no longer go on",
    detail: "It was cancelled, has expired or was refused. Start it again.",
    status: 410,
  });
}

const contentType = (file) => file.type || "application/octet-stream";
