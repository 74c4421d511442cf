// Owns who is signed in, and which part of the page they see.

import { enterAdmin, leaveAdmin } from "./admin.js";
import { people, rememberedPerson, signIn, signOut } from "./api.js";
import { announce, attempt, part, showProblem } from "./page.js";
import { nameAndPlace, personChoice } from "./people.js";
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
  part("people").replaceChildren(...listed.map((person) => personChoice(person, problems, () => enter(person, { focus: true }))));
  const person = listed.find(({ id }) => id === rememberedPerson());
  if (!person) return show("sign-in");
  await enter(person);
}

async function enter(person, { focus = false } = {}) {
  try {
    await signIn(person.id);
  } catch (error) {
    show("sign-in");
    return showProblem(problems, error);
  }
  part("who").replaceChildren(...nameAndPlace(person));
  enterAdmin(person);
  show("workspace");
  if (focus) part("workspace-title").focus();
  await loadVideos();
}

function leave() {
  leaveUpload();
  leaveVideos();
  leaveAdmin();
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
