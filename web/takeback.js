// Owns taking back many links at once: asking first, going on step by step, counting, and stopping in between.

import { call } from "./api.js";
import { announce, attempt, button, confirm, counted, element } from "./page.js";

/** A form with a button that takes back all links its `path` and `body()` mean; `onDone()` when any was. */
export class TakeBack {
  #options;
  #stopping = false;
  #go;
  #stop = button("Stop", () => this.#halt(), { hidden: true });
  #count = element("p", { className: "facts", role: "status" });
  #problem = element("div", { className: "problem", role: "alert", hidden: true });

  constructor({ label, path, body = () => ({}), question, onDone }, ...fields) {
    this.#options = { path, body, question, onDone };
    this.#go = element("button", { type: "submit", className: "danger" }, label);
    this.node = element("form", { className: "take-back" },
      ...fields, element("div", { className: "actions" }, this.#go, this.#stop), this.#count, this.#problem);
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#go.disabled) this.#start();
    });
  }

  async #start() {
    const { body, question, onDone } = this.#options;
    const what = body();
    if (!await confirm({ ...question(what), action: "Take back links", otherwise: "Keep them" })) return;
    const taken = { revoked: 0, cutting: 0, left: true };
    this.#stopping = false;
    this.#stop.hidden = false;
    this.#stop.disabled = false;
    this.#count.textContent = "Taking back…";
    this.#go.disabled = true;
    this.#stop.focus();
    await attempt(this.#problem, this.#go, () => this.#steps(what, taken));
    this.#count.textContent = this.#result(taken);
    if (document.activeElement === this.#stop || document.activeElement === document.body) this.#go.focus();
    this.#stop.hidden = true;
    if (taken.revoked > 0) await onDone();
    announce(this.#count.textContent);
  }

  // A form that has left the page has nobody who could stop it, so it stops by itself.
  async #steps(what, taken) {
    let cursor = null;
    do {
      const { revoked, cutting, nextCursor } = await call("POST", this.#options.path, { body: { ...what, ...(cursor && { cursor }) } });
      taken.revoked += revoked;
      taken.cutting += cutting;
      cursor = nextCursor ?? null;
      taken.left = cursor !== null;
      this.#count.textContent = `${counted(taken.revoked, "link")} taken back so far…`;
    } while (cursor && !this.#stopping && this.node.isConnected);
  }

  #halt() {
    this.#stopping = true;
    this.#stop.disabled = true;
    this.#count.textContent += " Stopping after this step.";
  }

  #result({ revoked, cutting, left }) {
    const going = cutting > 0 ? ` ${cutting} of them ${cutting === 1 ? "is" : "are"} still being stopped at the video service, which takes a minute or two.` : "";
    if (left && !this.#problem.hidden && revoked === 0) return "";
    if (left) return `Stopped. ${counted(revoked, "link")} taken back, the rest still work.${going}`;
    if (revoked === 0) return "There was no link left to take back.";
    return `${counted(revoked, "link")} taken back.${going}`;
  }
}
