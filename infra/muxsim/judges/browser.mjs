// In a browser, on a page of an origin of its own: @mux/upchunk uploads, hls.js plays. Both as they
// are published; what they ask for crosses origins, as it does for everybody who uses Mux.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { chromium } from 'playwright-core';

import {
  advance, assetOf, base, clip, files, held, longClip, mux, ready, signer, until,
} from './support.mjs';

/** The file of a package that a page includes: `require` would find the one for a server. */
const script = (path) => readFile(new URL(`node_modules/${path}`, import.meta.url));

const server = await files({
  '/': await readFile(new URL('page.html', import.meta.url)),
  '/upchunk.js': await script('@mux/upchunk/dist/upchunk.js'),
  '/hls.js': await script('hls.js/dist/hls.min.js'),
  '/clip.mp4': clip,
  '/long-clip.mp4': longClip,
});

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Root has no sandbox; nobody is there to click on a page before it may make a sound.
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required'],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error));
  await page.goto(`${server.url}/`);
  await uploads(page);
  await plays(page);
} finally {
  await browser.close();
  server.close();
}

async function uploads(page) {
  const settings = { playback_policies: ['signed'] };
  const create = (origin) =>
    mux.video.uploads.create({ cors_origin: origin, new_asset_settings: settings });
  const send = (upload, path) =>
    page.evaluate(([url, path]) => upload(url, path), [upload.url, path]);

  const own = await create(server.url);
  const heard = await send(own, '/long-clip.mp4');
  assert.equal(heard.error, null);
  const count = Math.ceil(longClip.length / (256 * 1024));
  assert.deepEqual(heard.chunks, [...Array(count - 1).fill(308), 200]);
  assert.equal(heard.progress.at(-1), 100);
  assert.ok(heard.progress.length >= count);
  const asset = await assetOf(own);
  assert.equal(asset.status, 'ready');
  assert.ok(Math.abs(asset.duration - 60) < 0.5, `${asset.duration} s`);
  held(`UpChunk uploads in ${count} chunks from the origin that the upload was made for`);

  const other = await create('https://elsewhere.example');
  const refused = await send(other, '/clip.mp4');
  assert.ok(refused.error);
  assert.deepEqual(refused.chunks, []);
  const after = await mux.video.uploads.retrieve(other.id);
  assert.equal(after.status, 'waiting');
  held(`UpChunk does not from another: ${refused.error}`);
}

async function plays(page) {
  const asset = await ready({ playback_policies: ['signed'] }, longClip);
  const [{ id }] = asset.playback_ids;
  const { sign } = await signer();
  const signed = `${base}/stream/${id}.m3u8?token=${await sign(id, 'video')}`;
  const load = (source) => page.evaluate((source) => load(source), source);
  const state = () => page.evaluate(() => state());
  const loadRefused = async (source) => {
    await load(source);
    const { errors } = await until('the player gives up', async () => {
      const now = await state();
      return now.errors.some((it) => it.fatal) && now;
    });
    assert.equal(errors[0].details, 'manifestLoadError');
    return errors[0].code;
  };

  assert.equal(await loadRefused(`${base}/stream/${id}.m3u8`), 403);
  held('hls.js is told 403 without a token');

  await load(signed);
  const playing = await until('ten seconds have been played', async () => {
    const now = await state();
    return (now.currentTime >= 10 || now.errors.some((it) => it.fatal)) && now;
  });
  assert.deepEqual(playing.errors, []);
  const [width, height] = playing.picture;
  assert.ok(width > 0 && Math.abs(width / height - 16 / 9) < 0.02, `${width} by ${height}`);
  assert.ok(Math.abs(playing.duration - 60) < 0.5, `${playing.duration} s`);
  assert.ok(playing.frames > 100, `${playing.frames} frames`);
  assert.ok(playing.ahead < 40, `fetched ${playing.ahead} s: nothing is left for what follows`);
  const screenshot = join(process.env.KEPT, 'playing.png');
  await page.screenshot({ path: screenshot });
  console.log(`screenshot: ${screenshot}`);
  held(`hls.js plays a signed asset: ${playing.currentTime.toFixed(1)} s, ${playing.frames} frames`);

  await mux.video.assets.deletePlaybackId(asset.id, id);
  const before = await state();
  assert.equal((await fetch(signed)).status, 404);
  const further = await until('more is fetched', async () => {
    const now = await state();
    return now.fragments > before.fragments && now.currentTime > before.currentTime + 2 && now;
  });
  assert.deepEqual(further.errors, []);
  held('a deleted playback id is not found any more, but who plays already goes on for a while');

  await advance(3 * 3600);
  await page.evaluate(() => { video.currentTime = 55; });
  const stopped = await until('the player is refused', async () => {
    const now = await state();
    return now.errors.some((it) => it.fatal) && now;
  });
  const { details, code } = stopped.errors.find((it) => it.code);
  assert.deepEqual([details, code], ['fragLoadError', 403]);
  const { frames, currentTime } = await state();
  await pause(1500);
  const later = await state();
  assert.deepEqual([later.frames, later.currentTime], [frames, currentTime]);
  held('and when its signatures are over, it is told 403 and stops');

  assert.equal(await loadRefused(signed), 404);
  held('hls.js is told 404 when it loads anew');
}
