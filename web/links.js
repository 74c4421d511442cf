// Owns the share links of one video: making one, showing it once, listing and taking back.

import { call } from "./api.js";
import { announce, attempt, button, confirm, dateAndTime, element } from "./page.js";

const DEFAULT_DAYS = 7;
const LONGEST_DAYS = 30;
const WORDS = { ACTIVE: "Active", EXPIRED: "Expired", REVOKED: "Taken back", ENDED: "Video deleted" };

/** The panel that opens under a video. */
export function linksPanel(asset) {
  return new Panel(asset).node;
}

class Panel {
  #path;
  #cursor = null;
  #problem = element("div", { className: "problem", role: "alert", hidden: true });
  #fresh = element("div", { className: "fresh", hidden: true });
  #none = element("p", { className: "quiet" }, "Loading links…");
  #list = element("ul", { className: "links" });
  #more = button("Show more links", () => attempt(this.#problem, this.#more, () => this.#load()), { hidden: true });

  constructor({ id, title }) {
    this.#path = `/api/assets/${encodeURIComponent(id)}/shares`;
    this.node = element("section", { className: "panel", tabIndex: -1, "aria-label": `Share links of ${title}` },
      this.#form(id), this.#problem, this.#fresh, this.#none, this.#list, this.#more);
    attempt(this.#problem, this.#more, () => this.#load()).then(() => this.#count());
  }

  #form(id) {
    const label = element("input", { id: `label-${id}`, required: true, maxLength: 100, autocomplete: "off" });
    const days = element("input", { id: `days-${id}`, type: "number", min: 1, max: LONGEST_DAYS, step: 1, defaultValue: DEFAULT_DAYS, required: true, inputMode: "numeric" });
    const make = element("button", { type: "submit", className: "primary" }, "Make link");
    const form = element("form", { className: "make" },
      element("div", { className: "field grow" }, element("label", { htmlFor: label.id }, "Who is it for?"), label),
      element("div", { className: "field" }, element("label", { htmlFor: days.id }, "Days it works (1–30)"), days),
      make);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(this.#problem, make, async () => {
        const body = { label: label.value.trim(), expiresInHours: days.valueAsNumber * 24 };
        const link = await call("POST", this.#path, { body });
        form.reset();
        this.#showOnce(link);
        this.#list.prepend(this.#entry(link));
        this.#count();
      });
    });
    return form;
  }

  // The address opens the video to whoever has it, and the server keeps no copy to show again.
  #showOnce({ id, label, url }) {
    const address = new URL(url, location.origin);
    const field = element("input", { id: `url-${id}`, value: address.href, readOnly: true, onfocus: () => field.select() });
    const copy = button("Copy", () => this.#copy(field, copy), { className: "primary" });
    const openInTab = element("a", { className: "button", target: "_blank", rel: "noopener noreferrer" }, "Open in a new tab");
    if (["http:", "https:"].includes(address.protocol)) openInTab.href = address.href;
    this.#fresh.replaceChildren(
      element("label", { htmlFor: field.id }, `Link “${label}”. Copy it now: it is shown only once.`),
      field,
      element("div", { className: "actions" }, copy, openInTab, button("Hide", () => this.#hideFresh())));
    this.#fresh.hidden = false;
    copy.focus();
    announce("Link made. Copy it now: it is shown only once.");
  }

  #hideFresh() {
    this.#fresh.hidden = true;
    this.#fresh.replaceChildren();
    this.node.focus();
  }

  async #copy(field, control) {
    try {
      await navigator.clipboard.writeText(field.value);
      control.textContent = "Copied";
      announce("Link copied");
    } catch {
      field.select();
      announce("The link is selected. Copy it with your keyboard or menu.");
    }
  }

  async #load() {
    const query = this.#cursor ? `?${new URLSearchParams({ cursor: this.#cursor })}` : "";
    const { shares, nextCursor } = await call("GET", this.#path + query);
    this.#cursor = nextCursor ?? null;
    this.#list.append(...shares.map((link) => this.#entry(link)));
    this.#more.hidden = !this.#cursor;
  }

  #count() {
    this.#none.textContent = "No links yet.";
    this.#none.hidden = this.#list.children.length > 0 || !this.#problem.hidden;
  }

  #entry(link) {
    const revoke = button("Take back", () => this.#revoke(link, entry, revoke), {
      className: "danger", hidden: link.state !== "ACTIVE", "aria-label": `Take back the link for ${link.label}`,
    });
    const entry = element("li", { className: "link" },
      element("span", { className: "link-label" }, link.label),
      element("span", { className: `badge ${link.state.toLowerCase()}` }, WORDS[link.state] ?? link.state),
      element("span", { className: "facts" }, whenOf(link)),
      revoke);
    return entry;
  }

  async #revoke(link, entry, control) {
    const agreed = await confirm({
      title: "Take back this link?",
      detail: `Whoever has the link for ${link.label} can no longer watch the video. This cannot be undone.`,
      action: "Take back link",
    });
    if (!agreed) return;
    await attempt(this.#problem, control, async () => {
      const revoked = await call("DELETE", `/api/shares/${encodeURIComponent(link.id)}`);
      if (this.#fresh.querySelector("input")?.id === `url-${link.id}`) this.#hideFresh();
      entry.replaceWith(this.#entry(revoked));
      announce(`The link for ${link.label} has been taken back`);
      this.node.focus();
    });
  }
}

function whenOf({ state, expiresAt, revokedAt }) {
  if (state === "REVOKED") return revokedAt ? `on ${dateAndTime(revokedAt)}` : "";
  if (state === "ENDED") return "";
  return `${state === "EXPIRED" ? "since" : "until"} ${dateAndTime(expiresAt)}`;
}
