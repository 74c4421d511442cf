// Owns the list of videos: its rows, their status as it changes, renaming and deleting.

import { ask, call, ownPath } from "./api.js";
import { LinksPanel } from "./links.js";
import { announce, attempt, button, confirm, dateAndTime, element, part, runningTime, showProblem } from "./page.js";
import { PollingSessions, browser } from "./polling.js";

const PAGE = 20;
const WORDS = {
  AWAITING_UPLOAD: "Waiting for the file",
  MUX_PROCESSING: "Being prepared",
  READY: "Ready",
  ERROR: "Failed",
  CANCELLED: "Cancelled",
  EXPIRED: "Upload expired",
  DELETED: "Deleted",
};
const MOVING = ["AWAITING_UPLOAD", "MUX_PROCESSING"];
const SHAREABLE = [...MOVING, "READY"];

const list = part("videos");
const problems = part("videos-problem");
const rows = new Map();
const sessions = new PollingSessions(browser((url, options) => ask("GET", ownPath(url), options)));
let cursor = null;

part("videos-refresh").addEventListener("click", loadVideos);
part("videos-more").addEventListener("click", () => attempt(problems, part("videos-more"), loadPage));
// A session may have ended while nobody saw the page: whoever comes back sees what has changed since.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) rows.forEach((row) => row.followOn());
});

export async function loadVideos() {
  list.setAttribute("aria-busy", "true");
  await attempt(problems, part("videos-refresh"), async () => {
    const { assets, nextCursor, poll } = await page(null);
    keepOnly(assets);
    assets.forEach((asset) => place({ poll, ...asset }, (row) => list.append(row)));
    turn(nextCursor);
  });
  list.removeAttribute("aria-busy");
}

/** Shows a video this page has just changed, on top if it is new, and follows it from now on. */
export async function trackVideo(id) {
  try {
    place(await call("GET", path(id)), (row) => list.prepend(row));
    rows.get(id)?.follow();
    turn(cursor);
  } catch (error) {
    showProblem(problems, error);
  }
}

/** Reads anew the links that are on the page. */
export function reloadLinks() {
  return Promise.all([...rows.values()].map((row) => row.reloadLinks()));
}

export function leaveVideos() {
  keepOnly([]);
  turn(null);
  showProblem(problems, null);
}

async function loadPage() {
  const { assets, nextCursor, poll } = await page(cursor);
  assets.forEach((asset) => place({ poll, ...asset }, (row) => list.append(row)));
  turn(nextCursor);
}

function page(from) {
  const query = new URLSearchParams({ limit: PAGE, ...(from && { cursor: from }) });
  return call("GET", `/api/assets?${query}`);
}

function place(asset, put) {
  if (asset.status === "DELETED") return remove(asset.id);
  const known = rows.get(asset.id);
  if (known) {
    known.update(asset);
    return known.followOn();
  }
  const row = new Row(asset);
  rows.set(asset.id, row);
  put(row.node);
  row.follow();
}

function keepOnly(assets) {
  const kept = new Set(assets.map(({ id }) => id));
  for (const id of rows.keys()) if (!kept.has(id)) remove(id);
}

function remove(id) {
  rows.get(id)?.leave();
  rows.delete(id);
  turn(cursor);
}

function turn(nextCursor) {
  cursor = nextCursor ?? null;
  part("videos-more").hidden = !cursor;
  part("videos-none").hidden = rows.size > 0;
}

const path = (id) => `/api/assets/${encodeURIComponent(id)}`;

/** One video in the list. */
class Row {
  #asset;
  #title = element("h3", { tabIndex: -1 });
  #badge = element("span");
  #facts = element("p", { className: "facts" });
  #trouble = element("p", { className: "trouble" });
  #problem = element("div", { className: "problem", role: "alert", hidden: true });
  #links = button("Share links", () => this.#toggleLinks(), { "aria-expanded": "false" });
  #rename = button("Rename", () => this.#openRename());
  #delete = button("Delete", () => this.#remove(), { className: "danger" });
  #actions = element("div", { className: "actions" }, this.#links, this.#rename, this.#delete);
  #heading = element("div", { className: "heading" }, this.#title, this.#badge);
  #panel = null;

  constructor(asset) {
    this.node = element("li", { className: "video" }, this.#heading, this.#facts, this.#trouble, this.#actions, this.#problem);
    this.#show(asset);
  }

  update(asset) {
    const before = this.#asset.status;
    this.#show(asset);
    if (before !== asset.status) announce(`“${asset.title}”: ${WORDS[asset.status] ?? asset.status}`);
  }

  /** Follows the status until it is final; a second call begins anew. */
  follow() {
    const { id, poll } = this.#asset;
    sessions.stop(id);
    if (!this.#moving) return;
    // What a list says of when to ask again holds for each video in it.
    sessions.follow(id, { ...poll, url: path(id) }, {
      onUpdate: (asset) => (asset.status === "DELETED" ? remove(id) : this.update(asset)),
      onError: (error) => this.#followFailed(error),
    });
  }

  /** Follows the status unless it is being followed. */
  followOn() {
    if (!sessions.has(this.#asset.id)) this.follow();
  }

  get #moving() {
    return MOVING.includes(this.#asset.status);
  }

  reloadLinks() {
    return this.#panel?.reload();
  }

  leave() {
    sessions.stop(this.#asset.id);
    this.node.remove();
  }

  #show(asset) {
    this.#asset = asset;
    this.#title.textContent = asset.title;
    this.#badge.className = `badge ${asset.status.toLowerCase().replaceAll("_", "-")}`;
    this.#badge.textContent = WORDS[asset.status] ?? asset.status;
    this.#facts.textContent = factsOf(asset);
    this.#trouble.textContent = asset.error?.message ?? "";
    this.#trouble.hidden = !asset.error;
    this.#links.hidden = !SHAREABLE.includes(asset.status);
    if (this.#links.hidden && this.#panel) this.#toggleLinks();
    for (const [control, verb] of [[this.#links, "Share links of"], [this.#rename, "Rename"], [this.#delete, "Delete"]]) {
      control.setAttribute("aria-label", `${verb} ${asset.title}`);
    }
  }

  #followFailed(error) {
    if (error.status === 404) return remove(this.#asset.id);
    this.#facts.textContent = `${factsOf(this.#asset)} · Press Refresh to see its latest status`;
  }

  #toggleLinks() {
    const opening = !this.#panel;
    this.#links.setAttribute("aria-expanded", String(opening));
    this.#panel?.node.remove();
    this.#panel = opening ? new LinksPanel(this.#asset) : null;
    if (opening) this.node.append(this.#panel.node);
  }

  #openRename() {
    const name = `title-${this.#asset.id}`;
    const field = element("input", { id: name, value: this.#asset.title, required: true, maxLength: 200 });
    const save = element("button", { type: "submit", className: "primary" }, "Save");
    const form = element("form", { className: "rename" },
      element("label", { htmlFor: name }, "New title"), field,
      element("div", { className: "actions" }, save, button("Cancel", () => this.#closeRename(form))));
    form.addEventListener("keydown", (event) => event.key === "Escape" && this.#closeRename(form));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(this.#problem, save, async () => {
        const { title } = await call("PATCH", path(this.#asset.id), { body: { title: field.value.trim() } });
        this.update({ ...this.#asset, title });
        this.#closeRename(form);
        announce(`Renamed to “${title}”`);
      });
    });
    this.#heading.replaceWith(form);
    this.#actions.hidden = true;
    field.select();
  }

  #closeRename(form) {
    showProblem(this.#problem, null);
    form.replaceWith(this.#heading);
    this.#actions.hidden = false;
    this.#rename.focus();
  }

  async #remove() {
    const { id, title } = this.#asset;
    const agreed = await confirm({
      title: "Delete this video?",
      detail: `“${title}” and all its share links will stop working. This cannot be undone.`,
      action: "Delete video",
    });
    if (!agreed) return;
    await attempt(this.#problem, this.#delete, async () => {
      await call("DELETE", path(id));
      remove(id);
      announce(`“${title}” has been deleted`);
      part("videos-title").focus();
    });
  }
}

function factsOf({ createdAt, durationSeconds }) {
  const added = `Added ${dateAndTime(createdAt)}`;
  return durationSeconds ? `${added} · ${runningTime(durationSeconds)} long` : added;
}
