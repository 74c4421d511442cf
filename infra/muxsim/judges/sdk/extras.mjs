// What can be added to an asset later: text tracks, static renditions, the master.

import assert from 'node:assert/strict';

import Mux from '@mux/mux-node';

import { files, held, mux, ready, refused, until } from '../support.mjs';

const VTT = `WEBVTT

00:00.000 --> 00:02.000
A first line.

00:02.000 --> 00:04.000
A second.
`;

export default async function judge() {
  const asset = await ready({ playback_policies: ['public'] });
  await tracks(asset);
  await renditions(asset);
  await master(asset.id);
}

async function tracks(asset) {
  const [{ id: playback }] = asset.playback_ids;
  const server = await files({ '/en.vtt': VTT });
  const track = await mux.video.assets.createTrack(asset.id, {
    url: `${server.url}/en.vtt`,
    type: 'text',
    text_type: 'subtitles',
    language_code: 'en',
    name: 'English',
    closed_captions: true,
    passthrough: 'words',
  });
  assert.equal(track.type, 'text');
  assert.ok(['preparing', 'ready'].includes(track.status));
  const found = await until('the track is ready', async () => {
    const { tracks } = await mux.video.assets.retrieve(asset.id);
    return tracks.find((it) => it.id === track.id && it.status === 'ready');
  });
  assert.equal(found.language_code, 'en');
  assert.equal(found.name, 'English');
  assert.equal(found.text_source, 'uploaded');
  assert.equal(found.passthrough, 'words');
  held('assets.createTrack fetches subtitles');

  const words = await mux.video.playback.track(playback, track.id);
  assert.match(words, /^WEBVTT[^]*A second\./);
  const playlist = await (await mux.video.playback.hls(playback)).text();
  assert.match(playlist, /#EXT-X-MEDIA:.*TYPE=SUBTITLES/);
  held('they are played, and can be had as WebVTT');

  const renamed = await mux.video.assets.updateTrack(asset.id, track.id, { name: 'British' });
  assert.deepEqual([renamed.name, renamed.language_code], ['British', 'en']);
  held('assets.updateTrack renames them');

  await mux.video.assets.deleteTrack(asset.id, track.id);
  const { tracks } = await mux.video.assets.retrieve(asset.id);
  assert.ok(!tracks.some((it) => it.id === track.id));
  await refused(Mux.NotFoundError, mux.video.playback.track(playback, track.id));
  await refused(Mux.NotFoundError, mux.video.assets.deleteTrack(asset.id, track.id));
  held('assets.deleteTrack takes them away');

  const video = tracks.find((it) => it.type === 'video');
  await refused(Mux.APIError, mux.video.assets.deleteTrack(asset.id, video.id));
  assert.equal((await mux.video.assets.retrieve(asset.id)).tracks.length, tracks.length);
  held('the pictures cannot be taken away');
  server.close();
}

async function renditions(asset) {
  const [{ id: playback }] = asset.playback_ids;
  for (const [resolution, name, ext] of [
    ['highest', 'highest.mp4', 'mp4'],
    ['audio-only', 'audio.m4a', 'm4a'],
  ]) {
    const made = await mux.video.assets.createStaticRendition(asset.id, { resolution });
    assert.deepEqual([made.name, made.ext, made.resolution], [name, ext, resolution]);
    const file = await until(`${name} is ready`, async () => {
      const { static_renditions } = await mux.video.assets.retrieve(asset.id);
      return static_renditions.files.find((it) => it.id === made.id && it.status === 'ready');
    });
    const response = await mux.video.playback.staticRendition(playback, name);
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.equal(bytes.toString('latin1', 4, 8), 'ftyp');
    assert.equal(bytes.length, Number(file.filesize));
    held(`assets.createStaticRendition makes ${name}`);

    await mux.video.assets.deleteStaticRendition(asset.id, made.id);
    const after = await mux.video.assets.retrieve(asset.id);
    assert.ok(!after.static_renditions?.files?.some((it) => it.id === made.id));
    await refused(Mux.NotFoundError, mux.video.playback.staticRendition(playback, name));
    held(`assets.deleteStaticRendition takes ${name} away`);
  }
  // 640 by 360 cannot be made larger: Mux lists such a rendition and skips it.
  const made = await mux.video.assets.createStaticRendition(asset.id, { resolution: '1080p' });
  await until('the rendition is skipped', async () => {
    const { static_renditions } = await mux.video.assets.retrieve(asset.id);
    return static_renditions.files.find((it) => it.id === made.id)?.status === 'skipped';
  });
  held('a rendition larger than the video is skipped');
}

async function master(id) {
  const asked = await mux.video.assets.updateMasterAccess(id, { master_access: 'temporary' });
  assert.equal(asked.master_access, 'temporary');
  const url = await until('the master is ready', async () => {
    const { master } = await mux.video.assets.retrieve(id);
    return master?.status === 'ready' && master.url;
  });
  const response = await fetch(url);
  assert.equal(response.status, 200);
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(bytes.toString('latin1', 4, 8), 'ftyp');
  held('assets.updateMasterAccess hands the master out');

  const taken = await mux.video.assets.updateMasterAccess(id, { master_access: 'none' });
  assert.equal(taken.master_access, 'none');
  assert.equal(taken.master, undefined);
  held('and takes it back');
}
