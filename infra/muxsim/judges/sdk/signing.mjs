// Signing keys, and every address of a signed playback id: with the right token, and otherwise.

import assert from 'node:assert/strict';

import Mux from '@mux/mux-node';

import { advance, files, held, mux, ready, refused, signer, until } from '../support.mjs';

const MP4 = /^....ftyp/s;

const VTT = 'WEBVTT\n\n00:00.000 --> 00:02.000\nA line.\n';

export default async function judge() {
  await keys();
  const asset = await ready({ playback_policies: ['signed', 'public'] });
  const id = asset.playback_ids.find((it) => it.policy === 'signed').id;
  const open = asset.playback_ids.find((it) => it.policy === 'public').id;
  const kinds = await addresses(asset);
  const { key, sign } = await signer();

  await permitted(id, kinds, sign);
  await denied(id, open, kinds, sign);
  await unsigned(open, kinds);
  await parameters(id, open, sign);
  await otherTokens(id, sign);
  await expiry(id, sign);
  await afterDeletion(id, kinds, key, sign);
}

async function keys() {
  const key = await mux.system.signingKeys.create();
  assert.match(atob(key.private_key), /^-----BEGIN RSA PRIVATE KEY-----/);
  assert.match(key.created_at, /^\d+$/);
  const { private_key, ...shown } = key;
  assert.deepEqual(await mux.system.signingKeys.retrieve(key.id), shown);
  const all = [];
  for await (const each of mux.system.signingKeys.list({ limit: 1 })) all.push(each);
  assert.ok(all.some((it) => it.id === key.id));
  assert.ok(all.every((it) => it.private_key === undefined));
  held('a signing key is made and listed; its private half is told once');

  await mux.system.signingKeys.delete(key.id);
  await refused(Mux.NotFoundError, mux.system.signingKeys.retrieve(key.id));
  await refused(Mux.NotFoundError, mux.system.signingKeys.delete(key.id));
  held('a signing key is deleted');
}

/** By type of token: what the SDK can fetch with it, and what that begins with. */
async function addresses(asset) {
  const { playback } = mux.video;
  const server = await files({ '/en.vtt': VTT });
  const track = await mux.video.assets.createTrack(asset.id, {
    url: `${server.url}/en.vtt`,
    type: 'text',
    text_type: 'subtitles',
    language_code: 'en',
  });
  await mux.video.assets.createStaticRendition(asset.id, { resolution: 'highest' });
  await until('the track and the rendition are ready', async () => {
    const { tracks, static_renditions } = await mux.video.assets.retrieve(asset.id);
    const text = tracks.find((it) => it.id === track.id);
    return text?.status === 'ready' && static_renditions.files.every((it) => it.status === 'ready');
  });
  server.close();
  return {
    video: {
      'm3u8': [(id, query) => playback.hls(id, query), /^#EXTM3U/],
      'highest.mp4': [(id, query) => playback.staticRendition(id, 'highest.mp4', query), MP4],
      'text/….vtt': [(id, query) => playback.track(id, track.id, query), /^WEBVTT/],
    },
    thumbnail: {
      'thumbnail.jpg': [(id, query) => playback.thumbnail(id, 'jpg', query), /^\xff\xd8\xff/],
      'thumbnail.png': [(id, query) => playback.thumbnail(id, 'png', query), /^\x89PNG/],
      'thumbnail.webp': [(id, query) => playback.thumbnail(id, 'webp', query), /^RIFF....WEBP/s],
    },
    gif: {
      'animated.gif': [(id, query) => playback.animated(id, 'gif', query), /^GIF8/],
      'animated.webp': [(id, query) => playback.animated(id, 'webp', query), /^RIFF....WEBP/s],
    },
    storyboard: {
      'storyboard.jpg': [(id, query) => playback.storyboard(id, 'jpg', query), /^\xff\xd8\xff/],
      'storyboard.png': [(id, query) => playback.storyboard(id, 'png', query), /^\x89PNG/],
      'storyboard.vtt': [(id, query) => playback.storyboardVtt(id, query), /^WEBVTT/],
      'storyboard.json': [(id, query) => playback.storyboardMeta(id, query), /"tiles"/],
    },
  };
}

/** The beginning of what came, byte for character: a text, an object, or a response. */
async function start(answer) {
  const got = await answer;
  if (typeof got === 'string') return got;
  if (!(got instanceof Response)) return JSON.stringify(got);
  return Buffer.from(await got.arrayBuffer()).toString('latin1', 0, 64);
}

async function permitted(id, kinds, sign) {
  for (const [type, fetches] of Object.entries(kinds)) {
    const token = await sign(id, type);
    for (const [name, [fetch, begins]] of Object.entries(fetches)) {
      assert.match(await start(fetch(id, { token })), begins, name);
      held(`${name} comes with a ${type} token`);
    }
  }
}

async function denied(id, open, kinds, sign) {
  const types = Object.keys(kinds);
  for (const [place, [type, fetches]] of Object.entries(kinds).entries()) {
    const wrong = {
      'no token': undefined,
      'a token of another type': await sign(id, types[(place + 1) % types.length]),
      'a token for another playback id': await sign(open, type),
      'a token of an unknown key': await sign(id, type, { keyId: 'unknown' }),
      'a token that is none': 'a.b.c',
    };
    for (const [name, [fetch]] of Object.entries(fetches)) {
      for (const [what, token] of Object.entries(wrong)) {
        const error = await refused(Mux.PermissionDeniedError, fetch(id, token && { token }));
        assert.equal(error.status, 403, `${name} with ${what}`);
      }
      held(`${name} is denied with ${Object.keys(wrong).join(', ')}`);
    }
  }
}

async function unsigned(open, kinds) {
  for (const fetches of Object.values(kinds)) {
    for (const [name, [fetch, begins]] of Object.entries(fetches)) {
      assert.match(await start(fetch(open)), begins, name);
    }
  }
  held('a public playback id needs no token for any of them');
}

/** Width and height of a PNG: big-endian, behind the signature and the head of its first chunk. */
async function size(response) {
  const bytes = Buffer.from(await response.arrayBuffer());
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}

async function parameters(id, open, sign) {
  const { playback } = mux.video;
  assert.deepEqual(await size(await playback.thumbnail(open, 'png')), [640, 360]);
  const small = await playback.thumbnail(open, 'png', { width: 160, time: 2 });
  assert.deepEqual(await size(small), [160, 90]);
  const token = await sign(id, 'thumbnail', { params: { width: '160', time: '2' } });
  assert.deepEqual(await size(await playback.thumbnail(id, 'png', { token })), [160, 90]);
  held('what a public thumbnail takes as parameters, a signed one takes in its token');

  const error = await refused(Mux.BadRequestError, playback.thumbnail(open, 'png', { width: 'x' }));
  assert.equal(typeof error.error.message, 'string');
  held('a width that is no number is refused');
}

async function otherTokens(id, sign) {
  const tokens = await sign(id, ['video', ['thumbnail', { time: '1' }], 'storyboard']);
  const names = ['playback-token', 'storyboard-token', 'thumbnail-token'];
  assert.deepEqual(Object.keys(tokens).sort(), names);
  const { playback } = mux.video;
  await playback.hls(id, { token: tokens['playback-token'] });
  await playback.thumbnail(id, 'jpg', { token: tokens['thumbnail-token'] });
  await playback.storyboardVtt(id, { token: tokens['storyboard-token'] });
  held('the tokens of a Mux Player, signed at once, fetch what each is for');

  // Nothing here answers these; that the SDK can sign with the key is all there is to see.
  const jws = /^[\w-]+\.[\w-]+\.[\w-]+$/;
  assert.match(await sign(id, 'drm_license'), jws);
  assert.match(await sign(id, 'stats'), jws);
  held('tokens for licences and statistics can be signed');
}

async function expiry(id, sign) {
  const token = await sign(id, 'video', { expiration: '60s' });
  await mux.video.playback.hls(id, { token });
  await advance(61);
  await refused(Mux.PermissionDeniedError, mux.video.playback.hls(id, { token }));
  held('a token is denied after its time');
}

async function afterDeletion(id, kinds, key, sign) {
  const { key: next, sign: signNext } = await signer();
  const token = await sign(id, 'video');
  await mux.video.playback.hls(id, { token });
  await mux.system.signingKeys.delete(key.id);
  for (const [type, fetches] of Object.entries(kinds)) {
    const stale = await sign(id, type);
    for (const [fetch] of Object.values(fetches)) {
      await refused(Mux.PermissionDeniedError, fetch(id, { token: stale }));
    }
  }
  await refused(Mux.PermissionDeniedError, mux.video.playback.hls(id, { token }));
  held('after its key was deleted, no token opens anything');

  assert.notEqual(next.id, key.id);
  await mux.video.playback.hls(id, { token: await signNext(id, 'video') });
  held('a second key goes on: that is how one rotates');
}
