// Webhooks: endpoints kept through the API, deliveries verified by the SDK as a portal would.

import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

import Mux from '@mux/mux-node';

import {
  advance, assetOf, base, control, held, listen, mux, now, ready, refused, sent, tokenId,
  tokenSecret, until,
} from '../support.mjs';

export default async function judge() {
  const inbox = await Inbox.open();
  const webhook = await creating(inbox);
  const secret = webhook.signing_secret;
  const asset = await ofAnUpload(inbox, secret);
  await forgeries(inbox, secret);
  await retrying(inbox, secret, asset.id);
  await rotating(inbox, webhook, asset.id);
  await triggered(inbox);
  await streamed();
  inbox.close();
}

/** An endpoint that keeps what it gets, raw, and answers as it is told to. */
class Inbox {
  letters = [];
  answers = [];

  static async open() {
    const inbox = new Inbox();
    const server = await listen(async (request, response) => {
      const body = (await buffer(request)).toString();
      inbox.letters.push({ path: request.url, body, headers: request.headers });
      response.writeHead(inbox.answers.shift() ?? 200).end();
    });
    return Object.assign(inbox, server);
  }

  /** The letters of this type, once there are so many. */
  async got(type, count = 1, path = '/hooks') {
    const of = () =>
      this.letters.filter((it) => it.path === path && JSON.parse(it.body).type === type);
    await until(`${count} of ${type} at ${path}`, () => of().length >= count, 20);
    return of();
  }
}

async function creating(inbox) {
  const { webhooks } = mux.system;
  const address = `${inbox.url}/hooks`;
  const made = await webhooks.create({ address });
  const { signing_secret, ...shown } = made;
  assert.ok(signing_secret.length >= 16);
  assert.equal(shown.address, address);
  assert.equal(shown.enabled, true);
  assert.ok(Math.abs(Date.parse(shown.created_at) / 1000 - now()) < 60, shown.created_at);
  assert.deepEqual(await webhooks.retrieve(made.id), shown);
  const all = [];
  for await (const each of webhooks.list({ limit: 1 })) all.push(each);
  assert.deepEqual(all, [shown]);
  held('a webhook is made, found and listed; its secret is told once');

  await refused(Mux.APIError, webhooks.create({ address }));
  await refused(Mux.BadRequestError, webhooks.create({ address: 'no address' }));
  await refused(Mux.BadRequestError, webhooks.update(made.id, {}));
  held('an address that is taken or is none, and an update of nothing, are refused');
  return made;
}

async function ofAnUpload(inbox, secret) {
  const upload = await sent({ playback_policies: ['public'], passthrough: 'film-7' });
  const asset = await assetOf(upload);
  // As one configures it for good: the secret is the client's, not the call's.
  const own = new Mux({ baseURL: base, tokenId, tokenSecret, webhookSecret: secret });
  const expected = [
    ['video.upload.created', 'upload', upload.id],
    ['video.upload.asset_created', 'upload', upload.id],
    ['video.asset.created', 'asset', asset.id],
    ['video.asset.ready', 'asset', asset.id],
  ];
  const seen = new Set();
  for (const [type, object, id] of expected) {
    const [letter] = await inbox.got(type);
    const event = await own.webhooks.unwrap(letter.body, letter.headers);
    assert.equal(event.type, type);
    assert.deepEqual(event.object, { type: object, id });
    assert.equal(event.data.id, id);
    assert.deepEqual(event.attempts, []);
    assert.match(event.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(typeof event.environment.id, 'string');
    seen.add(event.id);
    held(`${type} arrives and unwraps`);
  }
  assert.equal(seen.size, expected.length);

  const [created] = await inbox.got('video.upload.asset_created');
  assert.equal(JSON.parse(created.body).data.asset_id, asset.id);
  const { data } = JSON.parse((await inbox.got('video.asset.ready'))[0].body);
  assert.equal(data.upload_id, upload.id);
  assert.equal(data.passthrough, 'film-7');
  assert.equal(data.status, 'ready');
  assert.equal(typeof data.created_at, 'number');
  held('the ids and the passthrough are where Mux has them');
  return asset;
}

async function forgeries(inbox, secret) {
  const [{ body, headers }] = await inbox.got('video.asset.ready');
  const { webhooks } = mux;
  await webhooks.verifySignature(body, headers, secret);
  const mismatch = /No signatures found matching/;
  await assert.rejects(webhooks.unwrap(body.replace('ready', 'reddy'), headers, secret), mismatch);
  await assert.rejects(webhooks.unwrap(`${body}\n`, headers, secret), mismatch);
  await assert.rejects(webhooks.unwrap(body, headers, 'another secret'), mismatch);
  await assert.rejects(webhooks.unwrap(body, {}, secret), /Could not find a mux-signature header/);
  const [, digest] = headers['mux-signature'].split(',');
  const old = { 'mux-signature': `t=1565125718,${digest}` };
  await assert.rejects(webhooks.unwrap(body, old, secret), mismatch);
  held('a body, a secret or a time that is not the one signed is refused');
}

async function retrying(inbox, secret, id) {
  inbox.answers = [500, 503];
  await mux.video.assets.update(id, { passthrough: 'film-8' });
  for (const count of [1, 2, 3]) {
    const letters = await inbox.got('video.asset.updated', count);
    const { body, headers } = letters[count - 1];
    const event = await mux.webhooks.unwrap(body, headers, secret);
    const first = await mux.webhooks.unwrap(letters[0].body, letters[0].headers, secret);
    assert.equal(event.id, first.id);
    assert.equal(event.data.passthrough, 'film-8');
    const statuses = event.attempts.map((it) => it.response_status_code);
    assert.deepEqual(statuses, [500, 503].slice(0, count - 1));
    for (const attempt of event.attempts) {
      assert.equal(attempt.address, `${inbox.url}/hooks`);
      assert.ok(attempt.max_attempts > 1 && attempt.id && Date.parse(attempt.created_at));
    }
    if (count < 3) await advance(3600);
  }
  const letters = await inbox.got('video.asset.updated', 3);
  assert.equal(new Set(letters.map((it) => it.headers['mux-signature'])).size, 3);
  await advance(3600);
  assert.equal((await inbox.got('video.asset.updated', 3)).length, 3);
  held('what was answered 500 and 503 comes again, signed anew, with its attempts filled in');
}

async function rotating(inbox, old, id) {
  const { webhooks } = mux.system;
  const next = await webhooks.create({ address: `${inbox.url}/hooks/v2` });
  assert.notEqual(next.signing_secret, old.signing_secret);
  inbox.letters = [];
  await mux.video.assets.update(id, { passthrough: 'film-9' });
  const [before] = await inbox.got('video.asset.updated', 1, '/hooks');
  const [after] = await inbox.got('video.asset.updated', 1, '/hooks/v2');
  await mux.webhooks.verifySignature(before.body, before.headers, old.signing_secret);
  await mux.webhooks.verifySignature(after.body, after.headers, next.signing_secret);
  const crossed = mux.webhooks.verifySignature(after.body, after.headers, old.signing_secret);
  await assert.rejects(crossed, /No signatures found matching/);
  held('a second webhook gets everything too, under a secret of its own');

  assert.equal((await webhooks.update(old.id, { enabled: false })).enabled, false);
  inbox.letters = [];
  await mux.video.assets.update(id, { passthrough: 'film-10' });
  await inbox.got('video.asset.updated', 1, '/hooks/v2');
  await quiet(inbox, '/hooks');
  held('a webhook that is not enabled gets nothing');

  const { address } = old;
  await webhooks.delete(old.id);
  await refused(Mux.NotFoundError, webhooks.retrieve(old.id));
  const again = await webhooks.create({ address });
  assert.notEqual(again.id, old.id);
  assert.notEqual(again.signing_secret, old.signing_secret);
  inbox.letters = [];
  await mux.video.assets.update(id, { passthrough: 'film-11' });
  const [letter] = await inbox.got('video.asset.updated');
  await mux.webhooks.verifySignature(letter.body, letter.headers, again.signing_secret);
  held('a deleted webhook frees its address for one with another id and another secret');

  await webhooks.delete(next.id);
  inbox.letters = [];
  await ready({});
  await inbox.got('video.asset.ready');
  await quiet(inbox, '/hooks/v2');
  held('a deleted webhook gets nothing: the rotation is over');

  // What triggers and streams come after this is verified with the newest secret.
  inbox.secret = again.signing_secret;
}

/** Nothing can be waited for that shall not come: what is under way on loopback arrives at once. */
async function quiet(inbox, path) {
  await pause(300);
  assert.ok(!inbox.letters.some((it) => it.path === path), `something came to ${path}`);
}

async function triggered(inbox) {
  inbox.letters = [];
  await control('POST', 'trigger', { type: 'video.asset.errored' });
  const [{ body, headers }] = await inbox.got('video.asset.errored');
  const event = await mux.webhooks.unwrap(body, headers, inbox.secret);
  assert.equal(event.data.status, 'errored');
  assert.ok(event.data.errors.messages[0]);
  held('an event that is triggered unwraps like any other');
}

/** What `mux webhooks listen` reads: server-sent events, the first of them named `connected`. */
async function streamed() {
  const stop = new AbortController();
  const authorization = `Basic ${btoa(`${tokenId}:${tokenSecret}`)}`;
  const response = await fetch(`${base}/system/v1/webhook-events/stream`, {
    headers: { authorization, accept: '*/*' },
    signal: stop.signal,
  });
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const read = async (pattern) => {
    while (!pattern.test(text)) text += (await reader.read()).value;
    return pattern.exec(text);
  };
  await read(/^event: ?connected$/m);
  const upload = await mux.video.uploads.create({ cors_origin: '*' });
  const [, data] = await read(/^data: ?(\{.*"video\.upload\.created".*\})$/m);
  assert.equal(JSON.parse(data).data.id, upload.id);
  stop.abort();
  held('the stream of events begins with `connected` and carries what happens');
}
