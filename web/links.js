// Owns the share links of one video: making one, showing it once, listing, changing and taking back.

import { call } from "./api.js";
import { editLinkBody, editLinkFields, newLinkBody, newLinkFields } from "./linkform.js";
import { STATES, cutOf, rulesOf, whenOf } from "./linkwords.js";
import { announce, attempt, button, confirm, element, showProblem } from "./page.js";
import { TakeBack } from "./takeback.js";

/** The panel that opens under a video: its `node`, and `reload()` for when links changed elsewhere. */
export class LinksPanel {
  #path;
  #cursor = null;
  #problem = element("div", { className: "problem", role: "alert", hidden: true });
  #fresh = element("div", { className: "fresh", hidden: true });
  #none = element("p", { className: "quiet" }, "Loading links…");
  #list = element("ul", { className: "links" });
  #more = button("Show more links", () => attempt(this.#problem, this.#more, () => this.#load()), { hidden: true });
  #takeBack;

  constructor({ id, title }) {
    this.#path = `/api/assets/${encodeURIComponent(id)}/shares`;
    this.#takeBack = new TakeBack({
      label: "Take back all links of this video",
      path: `${this.#path}/revoke`,
      question: () => ({
        title: "Take back all links of this video?",
        detail: `No link to “${title}” opens any more, nor the other videos that such a link leads to. Whoever is watching now is stopped within minutes. This cannot be undone.`,
      }),
      onDone: () => this.reload(),
    }).node;
    this.#takeBack.hidden = true;
    this.node = element("section", { className: "panel", tabIndex: -1, "aria-label": `Share links of ${title}` },
      this.#form(id), this.#problem, this.#fresh, this.#none, this.#list, this.#more, this.#takeBack);
    this.reload();
  }

  async reload() {
    this.#cursor = null;
    await attempt(this.#problem, this.#more, () => this.#load());
    this.#count();
  }

  #form(id) {
    const { fields, label, more } = newLinkFields(id);
    const make = element("button", { type: "submit", className: "primary" }, "Make link");
    const form = element("form", {}, label, more, make);
    // A browser cannot point at a field that is folded away.
    form.addEventListener("invalid", (event) => more.contains(event.target) && (more.open = true), true);
    onSubmit(form, fields, this.#problem, make, async () => {
      const link = await call("POST", this.#path, { body: newLinkBody(fields.controls) });
      form.reset();
      more.open = false;
      this.#showOnce(link);
      this.#list.prepend(this.#entry(link));
      this.#count();
    });
    return form;
  }

  // The address opens the video to whoever has it, and the server keeps no copy to show again.
  #showOnce({ id, label, url, hasPassword }) {
    const address = new URL(url, location.origin);
    const field = element("input", { id: `url-${id}`, value: address.href, readOnly: true, onfocus: () => field.select() });
    const copy = button("Copy", () => this.#copy(field, copy), { className: "primary" });
    const openInTab = element("a", { className: "button", target: "_blank", rel: "noopener noreferrer" }, "Open in a new tab");
    if (["http:", "https:"].includes(address.protocol)) openInTab.href = address.href;
    this.#fresh.replaceChildren(
      element("label", { htmlFor: field.id }, `Link “${label}”. Copy it now: it is shown only once.`),
      field,
      ...(hasPassword ? [element("p", {}, "The password is not part of it: send it separately.")] : []),
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
    if (!this.#cursor) this.#list.replaceChildren();
    this.#cursor = nextCursor ?? null;
    this.#list.append(...shares.map((link) => this.#entry(link)));
    this.#more.hidden = !this.#cursor;
  }

  #count() {
    const some = this.#list.children.length > 0;
    this.#none.textContent = "No links yet.";
    this.#none.hidden = some || !this.#problem.hidden;
    this.#takeBack.hidden = !some;
  }

  #entry(link) {
    const { label, state } = link;
    const active = state === "ACTIVE";
    const edit = button("Edit", () => this.#openEdit(link, entry), {
      hidden: !active && state !== "EXPIRED", "aria-label": `Edit the link for ${label}`,
    });
    const revoke = button("Take back", () => this.#revoke(link, entry, revoke), {
      className: "danger", hidden: !active, "aria-label": `Take back the link for ${label}`,
    });
    const facts = [rulesOf(link), cutOf(link)].filter(Boolean).map((text) => element("p", { className: "facts" }, text));
    const entry = element("li", { className: "link" },
      element("div", { className: "link-words" },
        element("p", { className: "link-head" },
          element("span", { className: "link-label" }, label),
          element("span", { className: `badge ${state.toLowerCase()}` }, STATES[state] ?? state),
          element("span", { className: "facts" }, whenOf(link))),
        ...facts),
      element("div", { className: "actions" }, edit, revoke));
    return entry;
  }

  #openEdit(link, entry) {
    const fields = editLinkFields(link);
    const problem = element("div", { className: "problem", role: "alert", hidden: true });
    const save = element("button", { type: "submit", className: "primary" }, "Save");
    const form = element("form", { className: "edit", "aria-label": `Edit the link for ${link.label}` },
      element("div", { className: "grid" }, ...Object.values(fields.nodes)), problem,
      element("div", { className: "actions" }, save, button("Cancel", () => this.#replace(editor, entry))));
    const editor = element("li", { className: "link" }, form);
    form.addEventListener("keydown", (event) => event.key === "Escape" && this.#replace(editor, entry));
    onSubmit(form, fields, problem, save, async () => {
      const body = editLinkBody(fields.controls, link);
      if (!body) return this.#replace(editor, entry);
      const changed = await call("PATCH", pathOf(link), { body });
      this.#replace(editor, this.#entry(changed));
      announce(`The link for ${changed.label} has been changed`);
    });
    entry.replaceWith(editor);
    fields.controls.label.focus();
  }

  #replace(editor, entry) {
    editor.replaceWith(entry);
    entry.querySelector("button:not([hidden])")?.focus();
  }

  async #revoke(link, entry, control) {
    const agreed = await confirm({
      title: "Take back this link?",
      detail: `Nobody can open the video with the link for ${link.label} any more, and whoever is watching it now is stopped within minutes. This cannot be undone.`,
      action: "Take back link",
    });
    if (!agreed) return;
    await attempt(this.#problem, control, async () => {
      const revoked = await call("DELETE", pathOf(link));
      if (this.#fresh.querySelector("input")?.id === `url-${link.id}`) this.#hideFresh();
      entry.replaceWith(this.#entry(revoked));
      announce(`The link for ${link.label} has been taken back. ${cutOf(revoked)}`);
      this.node.focus();
    });
  }
}

// What is refused because of one field is told there, everything else in the box.
function onSubmit(form, fields, box, control, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fields.clear();
    let refused = null;
    await attempt(box, control, () => action().catch((error) => {
      refused = error;
      throw error;
    }));
    if (refused && fields.refuse(refused)) showProblem(box, null);
  });
}

const pathOf = ({ id }) => `/api/shares/${encodeURIComponent(id)}`;
