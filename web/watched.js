// Owns how long this page played which video: told when the next token is asked for, and when the page goes.

/** What is told is told once: if it is lost, nobody is wronged, because nobody is charged for it. */
export class Watched {
  #path;
  #grant;
  #asset = null;
  #millis = 0;
  #since = null;

  constructor(path, grant, video) {
    this.#path = `${path}/watched`;
    this.#grant = grant;
    video.addEventListener("playing", () => (this.#since ??= performance.now()));
    for (const name of ["pause", "waiting", "ended", "emptied"]) video.addEventListener(name, () => this.#rest());
    addEventListener("pagehide", () => this.tell());
  }

  /** From now on this one is played. */
  of(asset) {
    if (asset === this.#asset) return;
    this.tell();
    this.#asset = asset;
    this.#millis = 0;
  }

  /** Tells what was played since the last time, in whole seconds, and whether that is the end of it. */
  tell(failed = false) {
    const plays = this.#since !== null;
    this.#rest();
    if (plays) this.#since = performance.now();
    const seconds = Math.floor(this.#millis / 1000);
    if (!this.#asset || (seconds === 0 && !failed)) return;
    this.#millis -= seconds * 1000;
    fetch(this.#path, {
      method: "POST",
      keepalive: true, // the page may be gone before the answer
      headers: { "content-type": "application/json", ...this.#grant.headers },
      body: JSON.stringify({ asset: this.#asset, seconds, failed }),
    }).catch(() => {});
  }

  #rest() {
    if (this.#since === null) return;
    this.#millis += performance.now() - this.#since;
    this.#since = null;
  }
}
