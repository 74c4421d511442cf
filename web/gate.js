// Owns what a link asks of a viewer before it opens: a password, a code sent by e-mail, or signing in.

import { Problem, open, people, signIn } from "./api.js";
import { attempt, part, waitInWords } from "./page.js";
import { personChoice } from "./people.js";

const FORMS = { password: "password-form", email: "email-form", code: "code-form", signIn: "people" };
const FIELDS = { password: "password", email: "email", code: "code" };
const WORDS = {
  password: ["This link has a password", "The person who sent the link knows it."],
  email: ["This link asks who you are", "Enter your e-mail address. If the link is meant for you, a code is sent there."],
  code: ["Enter the code", ""],
  signIn: ["Sign in to watch this video", "Choose who you are."],
};
const NO_SIGN_IN = "Only people who are signed in to the portal may watch it, and this page cannot sign you in. Ask the person who sent the link.";
const HINTS = {
  "share-password-wrong": ["This is not the password", "Try again, or ask the person who sent the link."],
  "share-code-wrong": ["This code does not count", "It is mistyped, older than ten minutes, or used. Only the last one that was sent counts."],
  "invalid-field": ["This cannot be right", "Check what you have entered."],
};

const box = part("gate-problem");

/**
 * The form for what is asked. `onShown()` when there is no more of that here and the link is worth another try,
 * `onOver(problem)` when the link itself has ended.
 */
export class Gate {
  #path;
  #grant;
  #on;
  #step = null;

  constructor(path, grant, on) {
    this.#path = path;
    this.#grant = grant;
    this.#on = on;
    this.#wire("password-form", () => this.#show({ password: part("password").value }));
    this.#wire("email-form", () => this.#sendCode());
    this.#wire("code-form", () => this.#show({ email: part("email").value.trim(), code: part("code").value.replace(/\s/g, "") }));
    part("password-seen").addEventListener("click", () => this.#see(part("password").type === "password"));
    part("code-again").addEventListener("click", (event) => this.#try(event.target, () => this.#sendCode()));
    part("code-elsewhere").addEventListener("click", () => this.ask("email"));
    part("people-again").addEventListener("click", () => this.#listPeople());
  }

  /** Whether a viewer stands before it. */
  get shut() {
    return this.#step !== null;
  }

  /** Asks for `password`, `email` (and then its code) or `signIn`. */
  ask(step) {
    this.#step = step;
    part("gate").hidden = false;
    box.hidden = true;
    const [title, detail] = WORDS[step];
    part("gate-title").textContent = title;
    part("gate-detail").textContent = detail;
    for (const [name, id] of Object.entries(FORMS)) part(id).hidden = name !== step;
    part("people-again").hidden = true;
    if (step === "signIn") return this.#listPeople();
    if (step !== "email") part(FIELDS[step]).value = "";
    part(FIELDS[step]).focus();
  }

  leave() {
    this.#step = null;
    part("gate").hidden = true;
    part("password").value = "";
    part("code").value = "";
    this.#see(false);
  }

  #wire(id, action) {
    part(id).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try(event.submitter ?? part(id).querySelector("[type=submit]"), action);
    });
  }

  async #try(control, action) {
    await attempt(box, control, () => action().catch((error) => this.#refused(error)));
    const field = part(FIELDS[this.#step]);
    if (!field || box.hidden) return;
    field.focus();
    field.select();
  }

  async #show(key) {
    const { grant, required } = await open("POST", `${this.#path}/session`, { body: key, headers: this.#grant.headers });
    this.#grant.keep(grant);
    if (required === "password") return this.ask("password");
    if (required === "code") return this.ask("email");
    // Whether a session is still missing is for the link to say: this request knows of none.
    this.#on.onShown();
  }

  async #sendCode() {
    const email = part("email").value.trim();
    await open("POST", `${this.#path}/code`, { body: { email } });
    this.ask("code");
    part("gate-detail").textContent = `If the link is meant for ${email}, a code is on its way there. It counts for ten minutes.`;
  }

  // Only the local stack can sign people in by a click; elsewhere nobody answers at that address.
  async #listPeople() {
    const again = part("people-again");
    part("people").replaceChildren();
    const listed = await attempt(box, again, () => people().catch((error) => {
      if (error.transient) throw error;
      return [];
    }));
    again.hidden = Boolean(listed);
    if (listed?.length === 0) part("gate-detail").textContent = NO_SIGN_IN;
    const enter = async (person) => {
      await signIn(person.id);
      this.#on.onShown();
    };
    part("people").replaceChildren(...(listed ?? []).map((person) => personChoice(person, box, () => enter(person))));
    part("gate-title").focus();
  }

  #see(seen) {
    part("password").type = seen ? "text" : "password";
    part("password-seen").setAttribute("aria-pressed", String(seen));
  }

  #refused(problem) {
    const hint = HINTS[problem.slug];
    if (hint) throw new Problem({ title: hint[0], detail: hint[1] });
    if (problem.status === 429) {
      throw new Problem({ title: "Too many tries", detail: `Try again ${waitInWords(problem.retryAfter ?? 60)}.` });
    }
    if (problem.transient !== false) throw problem;
    this.#on.onOver(problem);
  }
}
