// Who we are, and the classes of the SDK's errors.

import assert from 'node:assert/strict';

import Mux from '@mux/mux-node';

import { base, held, mux, refused, tokenId } from '../support.mjs';

export default async function judge() {
  const who = await mux.system.utilities.whoami();
  for (const name of ['access_token_name', 'environment_id', 'environment_type']) {
    assert.equal(typeof who[name], 'string', name);
  }
  for (const permission of ['video:read', 'video:write', 'system:read', 'system:write']) {
    assert.ok(who.permissions.includes(permission), permission);
  }
  held('whoami says whose token it is and what it may do');

  const stranger = new Mux({ baseURL: base, tokenId, tokenSecret: 'wrong', maxRetries: 0 });
  await body(Mux.AuthenticationError, stranger.video.assets.list());
  await body(Mux.AuthenticationError, stranger.video.uploads.create({ cors_origin: '*' }));
  await body(Mux.AuthenticationError, stranger.system.signingKeys.create());
  await body(Mux.AuthenticationError, stranger.system.webhooks.list());
  await body(Mux.AuthenticationError, stranger.video.deliveryUsage.list());
  held('a wrong secret is an AuthenticationError everywhere');

  const unknown = '00ecNLnqiG8v00TLqqeZ00uCE5wCAaO3kKc';
  const { video, system } = mux;
  await body(Mux.NotFoundError, video.assets.retrieve(unknown));
  await body(Mux.NotFoundError, video.uploads.retrieve(unknown));
  await body(Mux.NotFoundError, video.playbackIds.retrieve(unknown));
  await body(Mux.NotFoundError, video.playbackRestrictions.retrieve(unknown));
  await body(Mux.NotFoundError, video.assets.createPlaybackId(unknown, { policy: 'public' }));
  await body(Mux.NotFoundError, system.signingKeys.retrieve(unknown));
  await body(Mux.NotFoundError, system.webhooks.retrieve(unknown));
  held('what does not exist is a NotFoundError');

  // Mux's streaming hosts word their errors otherwise: `code` and `message`.
  const nothing = await refused(Mux.NotFoundError, video.playback.hls(unknown));
  assert.deepEqual(nothing.error, { code: 5, message: 'Not Found' });
  held('an unknown playback id is a NotFoundError in the words of the streaming host');

  const parse = await body(Mux.BadRequestError, video.assets.retrieve('not-an-id'));
  assert.deepEqual(parse.error.error.messages, ['Failed to parse ID']);
  const wrong = { cors_origin: '*', timeout: 1 };
  await body(Mux.BadRequestError, video.uploads.create(wrong));
  wrong.timeout = 604_801;
  await body(Mux.BadRequestError, video.uploads.create(wrong));
  const policies = { cors_origin: '*', new_asset_settings: { playback_policies: ['secret'] } };
  await body(Mux.BadRequestError, video.uploads.create(policies));
  await body(Mux.BadRequestError, video.assets.create({ inputs: [] }));
  held('what cannot be is a BadRequestError');
}

/** Refused with Mux's `{error: {type, messages}}`, and a number to ask Mux about. */
async function body(kind, promise) {
  const error = await refused(kind, promise);
  assert.equal(typeof error.error.error.type, 'string');
  assert.ok(error.error.error.messages.every((it) => typeof it === 'string'));
  assert.ok(error.headers.get('x-request-id'));
  return error;
}
