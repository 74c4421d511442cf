// Assets and their playback ids.

import assert from 'node:assert/strict';

import Mux from '@mux/mux-node';

import { clip, files, held, mux, ready, refused, settled } from '../support.mjs';

export default async function judge() {
  const asset = await ready({ playback_policies: ['public'], passthrough: 'film-7' });
  shape(asset);
  await updating(asset.id);
  await playbackIds(asset.id);
  await fromAnAddress();
  await listing();
  await deleting(asset);
}

/** What Mux's types call always present, and what they say of a ready asset. */
function shape(asset) {
  assert.match(asset.created_at, /^\d+$/);
  assert.deepEqual(asset.progress, { state: 'completed', progress: 100 });
  for (const name of ['encoding_tier', 'master_access', 'max_resolution_tier', 'video_quality']) {
    assert.equal(typeof asset[name], 'string', name);
  }
  assert.equal(asset.aspect_ratio, '16:9');
  assert.equal(asset.resolution_tier, '720p');
  assert.equal(asset.passthrough, 'film-7');
  assert.ok(Math.abs(asset.duration - 12) < 0.1, `${asset.duration} s`);
  assert.deepEqual(asset.playback_ids.map((it) => it.policy), ['public']);
  const video = asset.tracks.find((it) => it.type === 'video');
  assert.deepEqual([video.max_width, video.max_height, video.max_frame_rate], [640, 360, 30]);
  const audio = asset.tracks.find((it) => it.type === 'audio');
  assert.equal(audio.max_channels, 2);
  held('a ready asset has what the SDK says it has');
}

async function updating(id) {
  const meta = { title: 'Film', creator_id: 'c-1', external_id: 'e-1' };
  const updated = await mux.video.assets.update(id, { passthrough: 'film-8', meta });
  assert.equal(updated.passthrough, 'film-8');
  assert.deepEqual(updated.meta, meta);
  assert.deepEqual(await mux.video.assets.retrieve(id), updated);
  const cleared = await mux.video.assets.update(id, { passthrough: '' });
  assert.ok(!cleared.passthrough);
  assert.deepEqual(cleared.meta, meta);
  held('assets.update changes passthrough and meta, and clears passthrough');

  const tooLong = mux.video.assets.update(id, { passthrough: 'x'.repeat(256) });
  await refused(Mux.BadRequestError, tooLong);
  held('a passthrough of 256 characters is refused');
}

async function playbackIds(id) {
  for (const policy of ['public', 'signed']) {
    const made = await mux.video.assets.createPlaybackId(id, { policy });
    assert.equal(made.policy, policy);
    assert.deepEqual(await mux.video.assets.retrievePlaybackId(id, made.id), made);
    const { object, ...rest } = await mux.video.playbackIds.retrieve(made.id);
    assert.deepEqual(rest, made);
    assert.deepEqual(object, { type: 'asset', id });
    const shown = (await mux.video.assets.retrieve(id)).playback_ids;
    assert.ok(shown.some((it) => it.id === made.id));
    await mux.video.assets.deletePlaybackId(id, made.id);
    const gone = mux.video.assets.retrievePlaybackId(id, made.id);
    await refused(Mux.NotFoundError, gone);
    await refused(Mux.NotFoundError, mux.video.playbackIds.retrieve(made.id));
    await refused(Mux.NotFoundError, mux.video.playback.hls(made.id));
    held(`a ${policy} playback id is made, found both ways, and deleted`);
  }
  const drm = mux.video.assets.createPlaybackId(id, { policy: 'drm' });
  await refused(Mux.BadRequestError, drm);
  held('a drm playback id is refused: there is no configuration for it');
}

async function fromAnAddress() {
  const server = await files({ '/clip.mp4': clip });
  const url = `${server.url}/clip.mp4`;
  const made = await mux.video.assets.create({
    inputs: [{ url }],
    playback_policies: ['public'],
    passthrough: 'from-afar',
    meta: { title: 'From afar' },
    video_quality: 'plus',
  });
  assert.equal(made.status, 'preparing');
  assert.equal(made.playback_ids.length, 1);
  assert.equal(made.ingest_type, 'on_demand_url');
  const asset = await settled(made.id);
  assert.equal(asset.status, 'ready', JSON.stringify(asset.errors));
  assert.equal(asset.upload_id, undefined);
  assert.equal(asset.video_quality, 'plus');
  assert.equal(asset.meta.title, 'From afar');
  held('assets.create fetches an address and becomes ready');

  const [input] = await mux.video.assets.retrieveInputInfo(made.id);
  assert.equal(input.settings.url, url);
  assert.match(input.file.container_format, /mp4/);
  const video = input.file.tracks.find((it) => it.type === 'video');
  assert.deepEqual([video.encoding, video.width, video.height], ['h264', 640, 360]);
  const audio = input.file.tracks.find((it) => it.type === 'audio');
  assert.deepEqual([audio.encoding, audio.channels, audio.sample_rate], ['aac', 2, 48000]);
  held('assets.retrieveInputInfo tells what came');

  const missing = await mux.video.assets.create({ inputs: [{ url: `${server.url}/nothing` }] });
  const errored = await settled(missing.id);
  assert.equal(errored.status, 'errored');
  assert.ok(errored.errors.type && errored.errors.messages[0]);
  server.close();
  held('an address with nothing behind it errors the asset');
}

async function listing() {
  const pages = [];
  for await (const page of (await mux.video.assets.list({ limit: 2 })).iterPages()) {
    pages.push(page.data.map((it) => it.id));
  }
  assert.ok(pages.length > 1 && pages.every((it) => it.length <= 2), JSON.stringify(pages));
  const ids = [];
  for await (const asset of mux.video.assets.list({ limit: 2 })) ids.push(asset.id);
  assert.deepEqual(ids, pages.flat());
  assert.equal(new Set(ids).size, ids.length);
  const all = await mux.video.assets.list({ limit: 100 });
  assert.deepEqual(all.data.map((it) => it.id), ids);
  assert.equal(all.next_cursor, '');
  held('assets.list goes on by cursor: every asset once, on more than one page');
}

async function deleting(asset) {
  const [{ id }] = asset.playback_ids;
  assert.equal((await mux.video.playback.hls(id)).status, 200);
  await mux.video.assets.delete(asset.id);
  await refused(Mux.NotFoundError, mux.video.assets.retrieve(asset.id));
  await refused(Mux.NotFoundError, mux.video.assets.delete(asset.id));
  await refused(Mux.NotFoundError, mux.video.playback.hls(id));
  held('assets.delete takes the asset and what plays it away');
}
