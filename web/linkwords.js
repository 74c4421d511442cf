// Owns how a share link is told in words: until when it works, what it asks for, and how fast it was stopped.

import { counted, dateAndTime } from "./page.js";

export const STATES = { ACTIVE: "Active", EXPIRED: "Expired", REVOKED: "Taken back", ENDED: "Video deleted" };

export function whenOf({ state, expiresAt, revokedAt }) {
  if (state === "REVOKED") return revokedAt ? `on ${dateAndTime(revokedAt)}` : "";
  if (state === "ENDED") return "";
  return `${state === "EXPIRED" ? "since" : "until"} ${dateAndTime(expiresAt)}`;
}

/** For whom it is, and what it asks for and allows where that is not the usual. */
export function rulesOf({ recipient, assets, hasPassword, allowedEmails, signInRequired, commentsAllowed, maxResolution, allowedDomains }) {
  return [
    recipient && `For ${recipient}`,
    assets && counted(assets.length, "video"),
    hasPassword && "Password",
    allowedEmails && `Code for ${allowedEmails.length === 1 ? allowedEmails[0] : `${allowedEmails.length} addresses`}`,
    signInRequired && "Sign-in",
    commentsAllowed === false && "No comments",
    maxResolution && `Up to ${maxResolution}`,
    allowedDomains && `Only on ${allowedDomains.join(", ")}`,
  ].filter(Boolean).join(" · ");
}

/** How fast a link that was taken back was good for nothing. */
export function cutOf({ state, cut }) {
  if (state !== "REVOKED") return "";
  if (!cut) return "Refused; still being stopped at the video service";
  return `Refused after ${span(cut.refusedAfterMs)}, stopped playing after ${span(cut.goneAfterMs)}`;
}

function span(milliseconds) {
  if (milliseconds < 1_000) return `${milliseconds} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  return counted(Math.round(milliseconds / 60_000), "minute");
}
