// Owns what only admins do: taking back the links of one recipient, or of the whole organisation.

import { element, part } from "./page.js";
import { TakeBack } from "./takeback.js";
import { reloadLinks } from "./videos.js";

const PATH = "/api/shares/revoke";

export function enterAdmin({ role, tenant }) {
  part("admin").hidden = role !== "admin";
  if (role !== "admin") return part("admin-controls").replaceChildren();
  part("admin-controls").replaceChildren(ofRecipient(), ofEverybody(tenant));
}

export function leaveAdmin() {
  part("admin").hidden = true;
  part("admin-controls").replaceChildren();
}

function ofRecipient() {
  const recipient = element("input", {
    id: "recipient-of-links", required: true, maxLength: 100, autocomplete: "off", "aria-describedby": "recipient-of-links-hint",
  });
  const field = element("div", { className: "field" },
    element("label", { htmlFor: recipient.id }, "Recipient"), recipient,
    element("p", { id: "recipient-of-links-hint", className: "facts" }, "As it was written when the links were made; capitals do not matter."));
  return new TakeBack({
    label: "Take back their links",
    path: PATH,
    body: () => ({ recipient: recipient.value.trim() }),
    question: ({ recipient: name }) => ({
      title: `Take back all links for ${name}?`,
      detail: `No link that was made for ${name}, to whatever video, opens any more. Whoever is watching now is stopped within minutes. This cannot be undone.`,
    }),
    onDone: reloadLinks,
  }, field).node;
}

function ofEverybody(tenant) {
  return new TakeBack({
    label: `Take back all links of ${tenant}`,
    path: PATH,
    question: () => ({
      title: `Take back all links of ${tenant}?`,
      detail: `No link to any video of ${tenant} opens any more, whoever made it and whoever has it. Whoever is watching now is stopped within minutes. This cannot be undone.`,
    }),
    onDone: reloadLinks,
  }).node;
}
