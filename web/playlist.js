// Owns the list of videos, where a link leads to several.

import { button, element, part, runningTime } from "./page.js";

/** The list below the video; `onChoose(id, title)` when another one shall play. */
export class Playlist {
  #entries = new Map();
  #onChoose;

  constructor(onChoose) {
    this.#onChoose = onChoose;
  }

  get several() {
    return this.#entries.size > 1;
  }

  fill(items) {
    this.#entries = new Map(items.map((item) => [item.assetId, this.#entry(item)]));
    part("playlist").replaceChildren(...[...this.#entries.values()].map(({ node }) => node));
  }

  /** Shows which one is on. Whatever plays is ready, whatever was said of it before. */
  mark(id, { plays = false } = {}) {
    for (const [key, { choice, facts }] of this.#entries) {
      if (key === id) choice.setAttribute("aria-current", "true");
      else choice.removeAttribute("aria-current");
      if (key === id && plays && facts.dataset.waiting) facts.textContent = "";
    }
  }

  show(shown) {
    part("playlist-section").hidden = !shown || !this.several;
  }

  #entry({ assetId, title, ready, durationMs }) {
    const facts = element("span", { className: "facts" }, ready ? (durationMs ? runningTime(durationMs / 1000) : "") : "Not ready yet");
    if (!ready) facts.dataset.waiting = "true";
    const choice = button("", () => this.#onChoose(assetId, title), { className: "choice" });
    choice.append(element("span", {}, title), facts);
    return { node: element("li", {}, choice), choice, facts };
  }
}
