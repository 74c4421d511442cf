// Owns how the people look whom the sign-in's stand-in offers.

import { attempt, button, element } from "./page.js";

/** Who somebody is, and where. */
export function nameAndPlace({ name, tenant, role }) {
  return [
    element("span", { className: "person-name" }, name),
    element("span", { className: "person-place" }, `${tenant}, ${role}`),
  ];
}

/** One of the list; `enter()` when it is chosen, and what goes wrong shows in `problems`. */
export function personChoice(person, problems, enter) {
  const choice = button("", () => attempt(problems, choice, enter), { className: "person" });
  choice.append(...nameAndPlace(person));
  return element("li", {}, choice);
}
