// Owns what every part of the page shares: building elements, announcing, showing problems, asking for confirmation.

/** The element of the page with this id. */
export const part = (id) => document.getElementById(id);

/** An element with properties and children; strings become text, never markup. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function button(label, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, label);
}

/** Says something to people who listen to the page; what they see must say it too. */
export function announce(text) {
  part("announcements").textContent = text;
}

/** Fills a `role="alert"` box; without a problem it empties it. */
export function showProblem(box, problem) {
  box.hidden = !problem;
  box.replaceChildren();
  if (!problem) return;
  const { title, detail } = wording(problem);
  box.append(element("strong", {}, title), detail);
}

/** Runs `action` with its button switched off, and shows in `box` what went wrong. */
export async function attempt(box, control, action) {
  showProblem(box, null);
  control.disabled = true;
  try {
    return await action();
  } catch (error) {
    showProblem(box, error);
    return undefined;
  } finally {
    control.disabled = false;
  }
}

/** Asks before something that cannot be undone; resolves to whether the person agreed. */
export function confirm({ title, detail, action, otherwise = "Keep it" }) {
  const dialog = part("confirm");
  part("confirm-title").textContent = title;
  part("confirm-detail").textContent = detail;
  part("confirm-yes").textContent = action;
  part("confirm-no").textContent = otherwise;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function dateAndTime(instant) {
  return new Intl.DateTimeFormat("en-AU", { dateStyle: "medium", timeStyle: "short" }).format(new Date(instant));
}

/** When something may be tried again, for a text that stands still while the time passes. */
export function waitInWords(seconds) {
  if (seconds < 90) return `in about ${counted(Math.max(1, Math.ceil(seconds)), "second")}`;
  const at = new Intl.DateTimeFormat("en-AU", { timeStyle: "short" }).format(Date.now() + seconds * 1000);
  return `in about ${counted(Math.ceil(seconds / 60), "minute")}, at ${at}`;
}

/** A number and what it counts. */
export const counted = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;

export function runningTime(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((value, index) => (index ? String(value).padStart(2, "0") : value)).join(":");
}

export function fileSize(bytes) {
  const steps = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];
  const [unit, size] = steps.find(([, step]) => bytes >= step) ?? ["bytes", 1];
  const digits = size > 1 && bytes / size < 10 ? 1 : 0;
  return `${(bytes / size).toFixed(digits)} ${unit}`;
}

function wording(problem) {
  if (problem.name === "Problem") return problem;
  console.error(problem);
  return { title: "Something went wrong", detail: "Reload the page and try again." };
}
