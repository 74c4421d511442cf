// Owns the grant: the server's word for what a viewer has shown to a link, so that they show it once.

const PREFIX = "grant|";

/** What counts for one link, for as long as the tab lives; a browser that keeps nothing forgets it on reload. */
export class Grant {
  #place;
  #text = null;

  constructor(link) {
    this.#place = PREFIX + link;
    this.#text = stored(() => sessionStorage.getItem(this.#place));
  }

  /** To be sent with whatever is asked next. */
  get headers() {
    return this.#text ? { "x-share-grant": this.#text } : {};
  }

  keep(text) {
    if (!text) return;
    this.#text = text;
    stored(() => sessionStorage.setItem(this.#place, text));
  }

  drop() {
    this.#text = null;
    stored(() => sessionStorage.removeItem(this.#place));
  }
}

// Where a person has switched storage off, touching it throws.
function stored(action) {
  try {
    return action();
  } catch {
    return null;
  }
}
