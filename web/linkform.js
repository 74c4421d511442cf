// Owns the fields of a share link: what a new one asks for and allows, and what of it can change.

import { element } from "./page.js";

const RESOLUTIONS = ["270p", "360p", "480p", "540p", "720p", "1080p", "1440p", "2160p"];
// By what the server's words show which field they are about.
const NAMED = {
  label: /^label/,
  recipient: /^recipient/,
  days: /^expiresInHours/,
  password: /password/i,
  emails: /allowedEmails/,
  domains: /allowedDomains|domains/,
  resolution: /maxResolution/,
};

/** The fields of a new link. `id` tells them from those of another form. */
export function newLinkFields(id) {
  const fields = new Fields(id, {
    label: ["What is it for?", line({ required: true })],
    recipient: ["Who gets it? (optional)", line(), "A name or an e-mail address. All links of one recipient can be taken back at once."],
    days: ["Days until it expires", days(), "If you say nothing: seven, or fewer where your organisation wants it."],
    password: ["Password", password(), "At least 6 characters. Send it separately from the link."],
    emails: ["Allowed e-mails", lines(), "One per line. Whoever has one of them gets a code by e-mail; @example.com stands for everybody there."],
    domains: ["Allowed domains", lines(), "One per line, such as example.com or *.example.com. It plays on their pages only."],
    resolution: ["Highest resolution", resolutions()],
    signIn: ["Viewers must sign in", element("input", { type: "checkbox" })],
    comments: ["Viewers may comment", element("input", { type: "checkbox", defaultChecked: true })],
  });
  const { label, ...more } = fields.nodes;
  const [signIn, comments] = [more.signIn, more.comments];
  delete more.signIn;
  delete more.comments;
  const node = element("details", { className: "more" },
    element("summary", {}, "More"),
    element("div", { className: "grid" }, ...Object.values(more), element("div", { className: "ticks" }, signIn, comments)));
  return { fields, label, more: node };
}

/** What a new link is asked for with. */
export function newLinkBody({ label, recipient, days: life, password: secret, emails, domains, resolution, signIn, comments }) {
  const said = {
    label: label.value.trim(),
    recipient: recipient.value.trim(),
    expiresInHours: hoursOf(life),
    password: secret.value,
    allowedEmails: linesOf(emails),
    allowedDomains: linesOf(domains),
    maxResolution: resolution.value,
    signInRequired: signIn.checked,
    commentsAllowed: comments.checked,
  };
  // What nobody has said is the organisation's to decide.
  const unsaid = (value) => value === "" || value === null || value?.length === 0;
  return Object.fromEntries(Object.entries(said).filter(([, value]) => !unsaid(value)));
}

/** The fields of a link that is there. */
export function editLinkFields(link) {
  return new Fields(link.id, {
    label: ["What is it for?", line({ required: true, value: link.label })],
    days: ["Extend: days from now", days(), "Empty: it stays as it is."],
    password: [link.hasPassword ? "New password" : "Password", password(), "At least 6 characters. Empty: it stays as it is."],
    ...(link.hasPassword && { noPassword: ["Remove the password", element("input", { type: "checkbox" })] }),
  });
}

/** What shall change of a link, or `null`. */
export function editLinkBody({ label, days: life, password: secret, noPassword }, link) {
  const change = {};
  if (label.value.trim() !== link.label) change.label = label.value.trim();
  if (life.value) change.expiresInHours = hoursOf(life);
  if (noPassword?.checked) change.password = null;
  else if (secret.value) change.password = secret.value;
  return Object.keys(change).length > 0 ? change : null;
}

/** Controls with their labels and hints, and beside each a place for what is wrong with it. */
class Fields {
  controls = {};
  nodes = {};
  #errors = {};

  constructor(id, described) {
    for (const [name, [label, control, hint]] of Object.entries(described)) {
      this.#add(name, `${name}-${id}`, label, control, hint);
    }
  }

  /** Shows a refusal at the field it is about, and says whether there is one. */
  refuse(problem) {
    if (![400, 422].includes(problem.status)) return false;
    const name = Object.keys(this.controls).find((it) => NAMED[it]?.test(problem.detail));
    if (!name) return false;
    const control = this.controls[name];
    this.#errors[name].textContent = inWords(name, problem);
    this.#errors[name].hidden = false;
    control.setAttribute("aria-invalid", "true");
    for (let box = control.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    control.focus();
    return true;
  }

  clear() {
    for (const [name, error] of Object.entries(this.#errors)) {
      error.hidden = true;
      error.textContent = "";
      this.controls[name].removeAttribute("aria-invalid");
    }
  }

  #add(name, id, label, control, hint) {
    const error = element("p", { id: `${id}-error`, className: "trouble", role: "alert", hidden: true });
    const about = element("p", { id: `${id}-hint`, className: "facts" }, hint ?? "");
    control.id = id;
    control.setAttribute("aria-describedby", [hint && about.id, error.id].filter(Boolean).join(" "));
    const words = element("label", { htmlFor: id }, label);
    this.controls[name] = control;
    this.#errors[name] = error;
    this.nodes[name] = control.type === "checkbox"
      ? element("div", { className: "tick" }, control, words, error)
      : element("div", { className: `field ${name}` }, words, control, hint ? about : null, error);
  }
}

const line = (properties) => element("input", { maxLength: 100, autocomplete: "off", ...properties });
const days = () => element("input", { type: "number", min: 1, step: 1, inputMode: "numeric" });
const lines = () => element("textarea", { rows: 3, autocomplete: "off", autocapitalize: "none", spellcheck: false });

// It has to be told to somebody, so it can be read; and no browser should keep it as its owner's own.
const password = () => element("input", { minLength: 6, maxLength: 200, autocomplete: "off", autocapitalize: "none", spellcheck: false });

function resolutions() {
  const choices = RESOLUTIONS.toReversed().map((it) => element("option", { value: it }, it));
  return element("select", {}, element("option", { value: "" }, "As high as there is"), ...choices);
}

const hoursOf = (control) => (control.value === "" ? null : control.valueAsNumber * 24);
const linesOf = (control) => control.value.split(/[\n,;]/).map((it) => it.trim()).filter(Boolean);

function inWords(name, { slug, detail }) {
  if (name === "days") return detail.includes("more") ? "Links may not live that long." : "At least one day.";
  const words = detail
    .replaceAll("allowedEmails", "allowed e-mails")
    .replaceAll("allowedDomains", "allowed domains")
    .replaceAll("maxResolution", "highest resolution");
  if (slug === "sharing-policy") return `Your organisation wants it so: ${words}.`;
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}
