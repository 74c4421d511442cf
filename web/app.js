// Owns who is signed in, and which part of the page they see.

import { people, rememberedPerson, signIn, signOut } from "./api.js";
import { announce, attempt, button, element, part, showProblem } from "./page.js";
import { leaveUpload, prepareUpload } from "./uploader.js";
import { leaveVideos, loadVideos, trackVideo } from "./videos.js";

const problems = part("sign-in-problem");

part("sign-out").addEventListener("click", leave);
part("sign-in-retry").addEventListener("click", start);
prepareUpload(trackVideo);
start();

async function start() {
  const listed = await attempt(problems, part("sign-in-retry"), people);
  part("sign-in-retry").hidden = Boolean(listed);
  part("sign-in-waiting").hidden = true;
  if (!listed) return show("sign-in");
  part("people").replaceChildren(...listed.map(personChoice));
  const person = listed.find(({ id }) => id === rememberedPerson());
  if (!person) return show("sign-in");
  await enter(person);
}

function personChoice(person) {
  const choice = button("", () => attempt(problems, choice, () => enter(person, { focus: true })), { className: "person" });
  choice.append(
    element("span", { className: "person-name" }, person.name),
    element("span", { className: "person-place" }, `${person.tenant}, ${person.role}`),
  );
  return element("li", {}, choice);
}

async function enter(person, { focus = false } = {}) {
  try {
    await signIn(person.id);
  } catch (error) {
    show("sign-in");
    return showProblem(problems, error);
  }
  part("who").replaceChildren(
    element("span", { className: "person-name" }, person.name),
    element("span", { className: "person-place" }, `${person.tenant}, ${person.role}`),
  );
  show("workspace");
  if (focus) part("workspace-title").focus();
  await loadVideos();
}

function leave() {
  leaveUpload();
  leaveVideos();
  signOut();
  show("sign-in");
  part("sign-in-title").focus();
  announce("Signed out");
}

function show(id) {
  part("sign-in").hidden = id !== "sign-in";
  part("workspace").hidden = id !== "workspace";
  part("account").hidden = id !== "workspace";
}
