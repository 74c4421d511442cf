// Direct uploads: the resource, and the resumable protocol that @mux/upchunk speaks to its address.

import assert from 'node:assert/strict';
import { request } from 'node:http';

import Mux from '@mux/mux-node';

import { assetOf, held, longClip, mux, put, ready, refused, sent, until } from '../support.mjs';

const CHUNK = 256 * 1024;

export default async function judge() {
  await resource();
  await cancelling();
  await chunks();
  await afterABreak();
  await noVideo();
}

async function resource() {
  const settings = { playback_policies: ['signed'], passthrough: 'film-7' };
  const upload = await mux.video.uploads.create({
    cors_origin: 'https://portal.example',
    timeout: 600,
    new_asset_settings: settings,
  });
  assert.equal(upload.status, 'waiting');
  assert.equal(upload.timeout, 600);
  assert.equal(upload.cors_origin, 'https://portal.example');
  assert.deepEqual(upload.new_asset_settings, settings);
  assert.equal(upload.asset_id, undefined);
  assert.ok(new URL(upload.url).pathname.endsWith(upload.id));
  held('uploads.create answers the upload and where to send the file');

  assert.deepEqual(await mux.video.uploads.retrieve(upload.id), upload);
  held('uploads.retrieve answers the same');

  const more = [await mux.video.uploads.create({ cors_origin: '*' }), upload];
  const ids = [];
  for await (const each of mux.video.uploads.list({ limit: 1 })) ids.push(each.id);
  assert.deepEqual(ids.slice(0, 2), more.map((it) => it.id));
  held('uploads.list goes from page to page, newest first');
}

async function cancelling() {
  const upload = await mux.video.uploads.create({ cors_origin: '*' });
  const cancelled = await mux.video.uploads.cancel(upload.id);
  assert.equal(cancelled.status, 'cancelled');
  assert.equal(cancelled.id, upload.id);
  assert.ok(!(await put(upload.url, longClip)).ok);
  await refused(Mux.PermissionDeniedError, mux.video.uploads.cancel(upload.id));
  assert.equal((await mux.video.uploads.retrieve(upload.id)).asset_id, undefined);
  held('uploads.cancel holds: once, and no file is taken afterwards');

  const done = await sent({});
  await refused(Mux.PermissionDeniedError, mux.video.uploads.cancel(done.id));
  held('uploads.cancel comes too late for a file that has arrived');
}

/** A chunk and its `Content-Range`, as UpChunk cuts and names them. */
function chunk(from, length = CHUNK) {
  const body = longClip.subarray(from, from + length);
  return [body, `bytes ${from}-${from + body.length - 1}/${longClip.length}`];
}

async function chunks() {
  const upload = await mux.video.uploads.create({
    cors_origin: '*',
    new_asset_settings: { playback_policies: ['public'] },
  });
  const small = await put(upload.url, ...chunk(0, 1000));
  assert.equal(small.status, 400);
  held('a chunk that is not a multiple of 256 KiB is refused');

  for (let from = 0; from < longClip.length; from += CHUNK) {
    const response = await put(upload.url, ...chunk(from));
    const end = from + CHUNK;
    const last = end >= longClip.length;
    assert.equal(response.status, last ? 200 : 308);
    assert.equal(response.headers.get('range'), last ? null : `bytes=0-${end - 1}`);
  }
  held('chunks are answered 308 with Range, the last one 200');

  const asset = await assetOf(upload);
  assert.equal(asset.status, 'ready');
  assert.ok(Math.abs(asset.duration - 60) < 0.5, `${asset.duration} s`);
  assert.equal(asset.upload_id, upload.id);
  assert.equal(asset.ingest_type, 'on_demand_direct_upload');
  held('what came in chunks becomes a ready asset, a minute long');

  const [found] = (await mux.video.assets.list({ upload_id: upload.id })).data;
  assert.equal(found.id, asset.id);
  const after = await mux.video.uploads.retrieve(upload.id);
  assert.equal(after.status, 'asset_created');
  held('assets.list finds it by upload_id');
}

async function afterABreak() {
  const upload = await mux.video.uploads.create({ cors_origin: '*' });
  assert.equal((await put(upload.url, ...chunk(0))).status, 308);
  await breakOff(upload.url, ...chunk(CHUNK));

  // While the stand-in has not noticed it is busy (503), which UpChunk tries again.
  const asked = await until('the break is noticed', async () => {
    const response = await put(upload.url, undefined, `bytes */${longClip.length}`);
    return response.status !== 503 && response;
  });
  assert.equal(asked.status, 308);
  const arrived = Number(/^bytes=0-(\d+)$/.exec(asked.headers.get('range'))[1]) + 1;
  assert.ok(arrived >= CHUNK && arrived < 2 * CHUNK, `${arrived} bytes`);
  held('after a break, `bytes */N` says how much has arrived');

  assert.equal((await put(upload.url, ...chunk(arrived, longClip.length))).status, 200);
  const again = await put(upload.url, undefined, `bytes */${longClip.length}`);
  assert.equal(again.status, 200);
  assert.equal((await assetOf(upload)).status, 'ready');
  held('the rest completes it');
}

/** Sends half of what was promised, and hangs up. */
function breakOff(url, body, range) {
  return new Promise((resolve) => {
    const headers = { 'content-range': range, 'content-length': body.length };
    const sending = request(url, { method: 'PUT', headers });
    sending.on('error', resolve); // that we hung up
    sending.write(body.subarray(0, body.length / 2), () => sending.destroy(new Error('gone')));
  });
}

async function noVideo() {
  const upload = await sent({}, Buffer.from('This is no video.'));
  const asset = await assetOf(upload);
  assert.equal(asset.status, 'errored');
  assert.equal(asset.errors.type, 'invalid_input');
  assert.ok(asset.errors.messages[0]);
  const after = await mux.video.uploads.retrieve(upload.id);
  assert.equal(after.status, 'errored');
  assert.ok(after.error.type && after.error.message);
  held('a file that is no video errors the asset and the upload');

  const soon = await mux.video.uploads.create({
    cors_origin: '*',
    test: true,
    new_asset_settings: { playback_policies: ['public'] },
  });
  assert.equal(soon.test, true);
  assert.equal((await ready({ playback_policies: ['public'] })).test, undefined);
  held('a test upload says so, others do not');
}
