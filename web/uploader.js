// Owns the upload form: choosing a file, naming it, and the controls of its transfer.

import { Problem, rememberedPerson } from "./api.js";
import { announce, attempt, fileSize, part, showProblem } from "./page.js";
import { Transfer } from "./upload.js";

const chooser = part("file");
const zone = part("drop-zone");
const title = part("upload-title");
const submit = part("upload-submit");
const problems = part("upload-problem");

const MOVING = ["opening", "uploading", "retrying"];
const HALTED = ["paused", "stalled"];
const WORDS = {
  opening: "Getting ready…",
  uploading: "Uploading",
  retrying: "The connection failed. Trying again…",
  paused: "Paused",
  stalled: "Paused, will resume when the connection is back. You can also press Resume.",
  arrived: "Uploaded. The video is in the list and will be ready soon.",
};

let transfer = null;
let state = null;
let videoId = null;
let quarter = 0;
let onChange = () => {};

/** Wires the form; `listener(id)` hears of every video that begins, arrives or is cancelled here. */
export function prepareUpload(listener) {
  onChange = listener;
  chooser.addEventListener("change", () => choose(chooser.files[0]));
  part("upload-form").addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  part("upload-pause").addEventListener("click", () => {
    transfer.pause();
    part("upload-resume").focus();
  });
  part("upload-resume").addEventListener("click", () => {
    begin();
    part("upload-pause").focus();
  });
  part("upload-cancel").addEventListener("click", (event) => attempt(problems, event.target, () => transfer.cancel()));
  part("upload-another").addEventListener("click", another);
  addEventListener("online", () => state === "stalled" && begin());
  addEventListener("beforeunload", (event) => MOVING.includes(state) && event.preventDefault());
  prepareDrop();
}

/** Lets go of the file; a transfer under way is only paused, and goes on when the same file is chosen again. */
export function leaveUpload() {
  letGo();
  part("upload-form").reset();
}

function prepareDrop() {
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  zone.addEventListener("dragover", () => zone.classList.toggle("over", !chooser.disabled));
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    zone.classList.remove("over");
    const { files } = event.dataTransfer;
    if (chooser.disabled || files.length === 0) return;
    chooser.files = files;
    choose(files[0]);
  });
}

function letGo() {
  if (MOVING.includes(state)) transfer.pause();
  transfer = null;
  videoId = null;
  showProblem(problems, null);
  enter(null);
}

async function choose(file) {
  letGo();
  if (!file) return;
  if (file.size === 0) {
    return showProblem(problems, new Problem({ title: "This file is empty.", detail: "Choose another one." }));
  }
  const mine = listeningTo(new Transfer(file, rememberedPerson()));
  part("upload-file").textContent = `Size: ${fileSize(file.size)}`;
  title.value = titleOf(file.name);
  enter("chosen");
  const earlier = await attempt(problems, submit, () => mine.earlier());
  if (transfer === mine && earlier) recall(earlier);
}

function listeningTo(mine) {
  transfer = mine;
  const whileMine = (listener) => (...told) => transfer === mine && listener(...told);
  mine.onState = whileMine(changeState);
  mine.onProgress = whileMine((sent) => showProgress(sent, mine.file.size));
  mine.onOpened = whileMine((upload) => {
    videoId = upload.id;
    onChange(videoId);
  });
  return mine;
}

function recall(upload) {
  if (upload.status === "AWAITING_UPLOAD") {
    title.value = upload.title;
    title.readOnly = true;
    submit.textContent = "Go on uploading";
    return note("You began to upload this file before. It will go on where it stopped.");
  }
  transfer.forget();
  note(`This file is already here as “${upload.title}”. Upload it again only if you want a second copy.`);
}

function begin() {
  showProblem(problems, null);
  quarter = 0;
  transfer.start(title.value.trim());
}

function changeState(next, problem) {
  showProblem(problems, problem);
  if (next === "failed") return enter("chosen");
  if (videoId && ["arrived", "cancelled"].includes(next)) onChange(videoId);
  if (next !== "cancelled") return enter(next);
  announce("Upload cancelled");
  another();
}

function another() {
  leaveUpload();
  chooser.focus();
}

function enter(next) {
  const focused = document.activeElement;
  state = next;
  const busy = MOVING.includes(next) || HALTED.includes(next);
  part("upload-fields").hidden = next !== "chosen";
  part("drop-zone").hidden = busy || next === "arrived";
  chooser.disabled = busy;
  part("upload-moving").hidden = !busy && next !== "arrived";
  part("upload-pause").hidden = !MOVING.includes(next);
  part("upload-resume").hidden = !HALTED.includes(next);
  part("upload-cancel").hidden = !busy;
  part("upload-another").hidden = next !== "arrived";
  part("upload-name").textContent = title.value;
  if (part("upload-state").textContent !== (WORDS[next] ?? "")) part("upload-state").textContent = WORDS[next] ?? "";
  if (next === null) reset();
  if (next === "opening" && focused === submit) part("upload-pause").focus();
  if (next === "arrived" && focused?.offsetParent === null) part("upload-another").focus();
}

function reset() {
  title.readOnly = false;
  submit.textContent = "Upload";
  note("");
  showProgress(0, 1);
}

function showProgress(sent, total) {
  const share = Math.floor((100 * sent) / total);
  part("upload-bar").value = share;
  part("upload-percent").textContent = `${share} %`;
  if (Math.floor(share / 25) <= quarter) return;
  quarter = Math.floor(share / 25);
  announce(`${share} per cent uploaded`);
}

function note(text) {
  part("upload-note").textContent = text;
  part("upload-note").hidden = !text;
}

function titleOf(name) {
  return name.replace(/\.[^.]{1,5}$/, "").replaceAll("_", " ").trim() || name;
}
