// What the judges share: the client as Mux ships it, clips, small servers, and patience.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

import Mux from '@mux/mux-node';

export const base = process.env.MUXSIM_URL;
assert.ok(base, 'MUXSIM_URL says where the stand-in is');

export const { MUX_TOKEN_ID: tokenId, MUX_TOKEN_SECRET: tokenSecret } = process.env;

// No retries: a failure that a retry would hide is what a judge is here for.
export const mux = new Mux({ baseURL: base, tokenId, tokenSecret, maxRetries: 0 });

/** Twelve seconds, 640 by 360, with sound. */
export const clip = await readFile(process.env.CLIP);

/** The same five times over: a minute, several chunks. */
export const longClip = await readFile(process.env.LONG_CLIP);

/** One line for each thing that held. */
export function held(fact) {
  console.log(`held: ${fact}`);
}

/** Asks again until the answer is truthy, as a client that polls does. */
export async function until(fact, ask, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `not within ${seconds} s: ${fact}`);
    await pause(100);
  }
}

/** Holds if it is refused with this class of the SDK's; returns the error. */
export async function refused(kind, promise) {
  const error = await promise.then(
    () => assert.fail(`not refused; expected ${kind.name}`),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${kind.name} expected: ${error}`);
  return error;
}

/** A server of the judge's own on loopback; `handle` may be asynchronous. */
export async function listen(handle) {
  const server = createServer((request, response) => {
    Promise.resolve(handle(request, response)).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

/** Serves these bodies by path: what Mux downloads. */
export function files(bodies) {
  return listen((request, response) => {
    const body = bodies[request.url];
    response.writeHead(body ? 200 : 404).end(body);
  });
}

/** The stand-in's own controls, which Mux does not have. */
export async function control(method, path, body) {
  const response = await fetch(`${base}/_muxsim/${path}`, {
    method,
    headers: {
      authorization: `Basic ${btoa(`${tokenId}:${tokenSecret}`)}`,
      'content-type': 'application/json',
    },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} /_muxsim/${path}: ${response.status} ${await response.text()}`);
}

let ahead = 0;

/** Moves the stand-in's clock. */
export async function advance(seconds) {
  await control('POST', 'clock', { advance_seconds: seconds });
  ahead += seconds;
}

/** The stand-in's time, in Unix seconds. */
export function now() {
  return Math.floor(Date.now() / 1000) + ahead;
}

/** One PUT to an upload's address. Nobody follows a 308 of a resumable upload. */
export function put(url, body, range) {
  const headers = range ? { 'content-range': range } : {};
  return fetch(url, { method: 'PUT', body, headers, redirect: 'manual' });
}

/** An upload whose file has been sent. */
export async function sent(settings, file = clip) {
  const upload = await mux.video.uploads.create({ cors_origin: '*', new_asset_settings: settings });
  const response = await put(upload.url, file);
  assert.equal(response.status, 200);
  return upload;
}

/** An asset that is not being prepared any more. */
export function settled(id) {
  return until(`asset ${id} is prepared`, async () => {
    const asset = await mux.video.assets.retrieve(id);
    return asset.status !== 'preparing' && asset;
  });
}

/** The asset of an upload whose file has been sent, prepared. */
export async function assetOf(upload) {
  const id = await until('the upload has an asset', async () => {
    return (await mux.video.uploads.retrieve(upload.id)).asset_id;
  });
  return settled(id);
}

/** A ready asset made of a direct upload. */
export async function ready(settings, file = clip) {
  const asset = await assetOf(await sent(settings, file));
  assert.equal(asset.status, 'ready', JSON.stringify(asset.errors));
  return asset;
}

/** The addresses in a playlist. */
export async function addresses(response) {
  const text = await response.text();
  return text.split('\n').filter((line) => line && !line.startsWith('#'));
}

/** A signing key, and how to sign with it. */
export async function signer() {
  const key = await mux.system.signingKeys.create();
  const sign = (id, type, more) =>
    mux.jwt.signPlaybackId(id, { keyId: key.id, keySecret: key.private_key, type, ...more });
  return { key, sign };
}
