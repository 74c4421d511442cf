// Playback restrictions: kept by id, enforced through the claim of a token.

import assert from 'node:assert/strict';
import { get } from 'node:http';

import Mux from '@mux/mux-node';

import { base, held, mux, ready, refused, signer } from '../support.mjs';

export default async function judge() {
  const restriction = await resource();
  await enforcement(restriction.id);
  await deleting(restriction.id);
}

async function resource() {
  const { playbackRestrictions } = mux.video;
  const wanted = {
    referrer: { allowed_domains: ['portal.example'], allow_no_referrer: false },
    user_agent: { allow_no_user_agent: false, allow_high_risk_user_agent: true },
  };
  const made = await playbackRestrictions.create(wanted);
  const { id, created_at, updated_at, ...rest } = made;
  assert.deepEqual(rest, wanted);
  assert.match(created_at, /^\d+$/);
  assert.match(updated_at, /^\d+$/);
  assert.deepEqual(await playbackRestrictions.retrieve(id), made);
  const ids = [];
  for await (const each of playbackRestrictions.list({ limit: 1 })) ids.push(each.id);
  assert.ok(ids.includes(id));
  held('a restriction is made, found and listed');

  const many = Array.from({ length: 11 }, (_, n) => `${n}.example`);
  const tooMany = { ...wanted, referrer: { allowed_domains: many } };
  await refused(Mux.BadRequestError, playbackRestrictions.create(tooMany));
  held('eleven domains are one too many');
  return made;
}

async function enforcement(restriction) {
  const { playbackRestrictions } = mux.video;
  const asset = await ready({ playback_policies: ['signed'] });
  const [{ id }] = asset.playback_ids;
  const { sign } = await signer();
  const token = await sign(id, 'video', { params: { playback_restriction_id: restriction } });
  const status = (headers) => statusOf(`${base}/${id}.m3u8?token=${token}`, headers);
  const agent = { 'user-agent': 'Mozilla/5.0' };

  assert.equal(await status({ ...agent, referer: 'https://portal.example/films/7' }), 200);
  assert.equal(await status({ ...agent, referer: 'https://elsewhere.example/' }), 403);
  assert.equal(await status({ ...agent, referer: 'https://portal.example.evil.example/' }), 403);
  assert.equal(await status(agent), 403);
  held('only the allowed domain plays; no referrer is no domain');

  const free = await sign(id, 'video');
  assert.equal(await statusOf(`${base}/${id}.m3u8?token=${free}`, agent), 200);
  held('a token without the claim is not restricted');

  await playbackRestrictions.updateReferrer(restriction, {
    allowed_domains: ['*.portal.example'],
    allow_no_referrer: true,
  });
  assert.equal(await status({ ...agent, referer: 'https://films.portal.example/' }), 200);
  assert.equal(await status({ ...agent, referer: 'https://elsewhere.example/' }), 403);
  assert.equal(await status(agent), 200);
  held('updateReferrer: a wildcard, and players that send no referrer');

  assert.equal(await status({}), 403);
  const updated = await playbackRestrictions.updateUserAgent(restriction, {
    allow_no_user_agent: true,
    allow_high_risk_user_agent: true,
  });
  assert.equal(updated.user_agent.allow_no_user_agent, true);
  assert.deepEqual(updated.referrer.allowed_domains, ['*.portal.example']);
  assert.equal(await status({}), 200);
  held('updateUserAgent: players that do not say what they are');

  await playbackRestrictions.updateReferrer(restriction, { allowed_domains: [] });
  assert.equal(await status({ ...agent, referer: 'https://films.portal.example/' }), 403);
  await playbackRestrictions.updateReferrer(restriction, { allowed_domains: ['*'] });
  assert.equal(await status({ ...agent, referer: 'https://elsewhere.example/' }), 200);
  held('no domain is nobody, `*` is anybody');
}

/** Asks with exactly these headers: `fetch` would add a user agent. */
function statusOf(url, headers) {
  return new Promise((resolve, reject) => {
    const asking = get(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asking.on('error', reject);
  });
}

async function deleting(id) {
  const { playbackRestrictions } = mux.video;
  await playbackRestrictions.delete(id);
  await refused(Mux.NotFoundError, playbackRestrictions.retrieve(id));
  await refused(Mux.NotFoundError, playbackRestrictions.delete(id));
  const left = await playbackRestrictions.list();
  assert.ok(!left.data.some((it) => it.id === id));
  held('a restriction is deleted');
}
