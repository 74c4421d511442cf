// Owns the video element: hls.js where the browser has Media Source Extensions, the browser's own player elsewhere.

import Hls from "./vendor/hls.light.min.mjs";

const RECOVERIES = 2;

/**
 * Plays one stream whose address is renewed while it plays.
 * `onRefused()` when the stream no longer answers to its address, `onFailed()` when it cannot be played at all.
 */
export class Player {
  #video;
  #hls = null;
  #address = null;
  #tokens = new Set();
  #recoveries = 0;
  #on;

  constructor(video, { onRefused, onFailed }) {
    this.#video = video;
    this.#on = { onRefused, onFailed };
    video.addEventListener("error", () => this.#nativeError());
  }

  get playing() {
    return this.#address !== null && !this.#video.paused && !this.#video.ended;
  }

  /** Uses this address for whatever is loaded next; what is playing goes on untouched. */
  renew(address) {
    this.#tokens.add(tokenOf(address));
    this.#address = address;
  }

  /** Loads from this address; if nothing is said, at the position and in the state the viewer had reached. */
  load(address, { from = this.#video.currentTime, play = this.playing } = {}) {
    this.#release();
    this.#tokens.clear();
    this.renew(address);
    if (Hls.isSupported()) this.#loadWithHls(from);
    else if (this.#video.canPlayType("application/vnd.apple.mpegurl")) this.#loadNatively(from);
    else return this.#on.onFailed();
    if (play) this.#video.play().catch(() => {});
  }

  /** Stops for good and lets the viewer see the rest of the page. */
  stop() {
    this.#address = null;
    this.#video.pause();
    this.#release();
    this.#video.removeAttribute("src");
    this.#video.load();
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => {});
  }

  #release() {
    this.#hls?.destroy();
    this.#hls = null;
  }

  #loadWithHls(position) {
    const hls = new Hls({
      startPosition: position || -1,
      xhrSetup: (request, url) => {
        const current = this.#current(url);
        if (current !== url) request.open("GET", current, true);
      },
    });
    this.#hls = hls;
    hls.on(Hls.Events.ERROR, (_, error) => this.#hlsError(hls, error));
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      this.#recoveries = 0;
    });
    hls.loadSource(this.#address);
    hls.attachMedia(this.#video);
  }

  #loadNatively(position) {
    this.#video.src = this.#address;
    if (!position) return;
    this.#video.addEventListener("loadedmetadata", () => (this.#video.currentTime = position), { once: true });
  }

  // Only an address that carried one of our earlier tokens gets the newest: no other host ever sees it.
  #current(url) {
    const token = tokenOf(url);
    if (!token || !this.#tokens.has(token)) return url;
    const current = new URL(url);
    current.searchParams.set("token", tokenOf(this.#address));
    return current.href;
  }

  #hlsError(hls, error) {
    if (hls !== this.#hls) return;
    const status = error.response?.code ?? 0;
    const refused = error.type === Hls.ErrorTypes.NETWORK_ERROR && status >= 400 && status < 500;
    if (refused || (error.fatal && error.type === Hls.ErrorTypes.NETWORK_ERROR)) {
      hls.stopLoad();
      return this.#on.onRefused();
    }
    if (!error.fatal) return;
    this.#recoveries += 1;
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR && this.#recoveries <= RECOVERIES) return hls.recoverMediaError();
    this.#on.onFailed();
  }

  #nativeError() {
    if (!this.#hls && this.#address) this.#on.onRefused();
  }
}

function tokenOf(address) {
  return new URL(address, location.href).searchParams.get("token");
}
