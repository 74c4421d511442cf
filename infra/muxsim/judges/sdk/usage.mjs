// What is billed: delivery, half a day late, and the exports of days gone by.

import assert from 'node:assert/strict';

import Mux from '@mux/mux-node';

import { addresses, advance, held, mux, now, ready, refused } from '../support.mjs';

const HOUR = 3600;

export default async function judge() {
  const settings = { playback_policies: ['public'], passthrough: 'film-7' };
  const watched = await ready(settings);
  const unwatched = await ready(settings);
  await delivery(watched, unwatched);
  await exports();
}

async function delivery(watched, unwatched) {
  const { deliveryUsage } = mux.video;
  // Mux counts from hour to hour: at half past, nothing is in the next one by accident.
  await advance((HOUR * 3) / 2 - (now() % HOUR));
  const start = now() - (now() % HOUR);
  const seconds = await watch(watched);
  assert.deepEqual((await deliveryUsage.list()).data, []);
  held('what was just watched is not told yet');

  await advance(HOUR * 12.75);
  const page = await deliveryUsage.list();
  assert.equal(page.limit, 100);
  assert.equal(page.timeframe.length, 2);
  assert.deepEqual(page.data.map((it) => it.asset_id), [watched.id]);
  const [report] = page.data;
  assert.equal(report.asset_state, 'ready');
  assert.equal(report.passthrough, 'film-7');
  assert.equal(report.asset_resolution_tier, '720p');
  assert.equal(report.asset_duration, watched.duration);
  assert.equal(report.created_at, watched.created_at);
  assert.equal(typeof report.asset_encoding_tier, 'string');
  const told = report.delivered_seconds;
  assert.ok(Math.abs(told - seconds) < 1, `${told} s told, ${seconds} s watched`);
  const tiers = Object.values(report.delivered_seconds_by_resolution);
  assert.ok(report.delivered_seconds_by_resolution.tier_720p > 0);
  assert.ok(Math.abs(tiers.reduce((sum, it) => sum + it, 0) - told) < 0.01);
  held('12 to 13 hours later deliveryUsage.list tells it, of what was watched and nothing else');

  const timeframe = [`${start}`, `${start + HOUR}`];
  const asked = await deliveryUsage.list({ timeframe, asset_id: watched.id });
  assert.deepEqual(asked.data, page.data);
  assert.deepEqual(asked.timeframe, [start, start + HOUR]);
  const none = await deliveryUsage.list({ timeframe, asset_id: unwatched.id });
  assert.deepEqual(none.data, []);
  const earlier = [`${start - 24 * HOUR}`, `${start - 23 * HOUR}`];
  assert.deepEqual((await deliveryUsage.list({ timeframe: earlier })).data, []);
  const ids = [];
  for await (const each of deliveryUsage.list({ timeframe, limit: 1 })) ids.push(each.asset_id);
  assert.deepEqual(ids, [watched.id]);
  held('by timeframe and by asset');

  const both = { asset_id: watched.id, live_stream_id: watched.id };
  await refused(Mux.BadRequestError, deliveryUsage.list(both));
  held('an asset and a stream at once is refused');

  await mux.video.assets.delete(watched.id);
  const [after] = (await deliveryUsage.list({ timeframe })).data;
  assert.equal(after.asset_state, 'deleted');
  assert.match(after.deleted_at, /^\d+$/);
  held('what was watched before it was deleted is still told');
}

/** Fetches all of one rendition, as a player does; returns how long it is. */
async function watch(asset) {
  const [{ id }] = asset.playback_ids;
  const [variant] = await addresses(await mux.video.playback.hls(id));
  const playlist = await fetch(variant);
  const text = await playlist.clone().text();
  for (const segment of await addresses(playlist)) {
    const response = await fetch(segment);
    assert.equal(response.status, 200);
    await response.arrayBuffer();
  }
  const durations = text.matchAll(/^#EXTINF:([\d.]+)/gm);
  return [...durations].reduce((sum, [, it]) => sum + Number(it), 0);
}

async function exports() {
  await advance(48 * HOUR);
  const { usageExports } = mux.system;
  const { data, meta } = await usageExports.list({ limit: 5 });
  for (const name of ['page', 'limit', 'pages', 'total']) {
    assert.equal(typeof meta[name], 'number', name);
  }
  assert.ok(data.length > 0);
  const days = data.map((it) => it.date);
  assert.deepEqual(days, days.toSorted().reverse());
  const today = new Date(now() * 1000).toISOString().slice(0, 10);
  assert.ok(days.every((it) => /^\d{4}-\d\d-\d\d$/.test(it) && it < today), days.join());
  const [{ download_url, download_url_expires_at }] = data;
  assert.ok(download_url_expires_at > now());
  const response = await fetch(download_url);
  assert.equal(response.status, 200);
  assert.ok((await response.text()).length > 0);
  held('usageExports.list tells the days until yesterday, and their files can be fetched');

  const week = await usageExports.list({ timeframe: ['7:days'] });
  assert.ok(week.data.length > 0 && week.data.length <= 7);
  held('usageExports.list takes a timeframe');
}
