// The peer of the bench `share`: GET /api/share/{token} with Mux's own SDK and the AWS SDK, the same
// reads and writes of the same table. One argument: the settings, as JSON.

import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { BatchGetCommand, DynamoDBDocumentClient, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import Mux from "@mux/mux-node";

const { table, endpoint, keyId, privateKey } = JSON.parse(process.argv[2]);
const credentials = { accessKeyId: "local", secretAccessKey: "local" };
const client = new DynamoDBClient({ endpoint, region: "ap-southeast-2", credentials });
const store = DynamoDBDocumentClient.from(client);
const mux = new Mux({ tokenId: "x", tokenSecret: "x", jwtSigningKey: keyId, jwtPrivateKey: privateKey });
const LIFE_MS = 15 * 60_000;

async function open(token, address) {
  const { share, asset, digest } = parse(token);
  const window = Math.floor(Date.now() / 60_000);
  const count = new UpdateCommand({
    TableName: table,
    Key: { pk: `PEER#${address}#${window}`, sk: "COUNT" },
    UpdateExpression: "ADD opens :one",
    ExpressionAttributeValues: { ":one": 1 },
    ReturnValues: "UPDATED_NEW",
  });
  const keys = [{ pk: `SHARE#${share}`, sk: "LINK" }, { pk: `ASSET#${asset}`, sk: "ASSET" }];
  const read = new BatchGetCommand({ RequestItems: { [table]: { Keys: keys, ConsistentRead: true } } });
  const [counted, found] = await Promise.all([store.send(count), store.send(read)]);
  if (counted.Attributes.opens > 1_000_000) return [429, {}];
  const items = found.Responses[table];
  const link = items.find((item) => item.sk === "LINK");
  const video = items.find((item) => item.sk === "ASSET");
  if (!link || !timingSafeEqual(Buffer.from(link.digest, "hex"), digest)) return [404, {}];
  const now = Date.now();
  const end = Date.parse(link.expires_at);
  if (link.state.kind !== "active" || end <= now || !video) return [403, {}];
  const expires = Math.min(now + LIFE_MS, end);
  const playback = link.playbacks[0].id;
  const seconds = Math.floor((expires - now) / 1000);
  const signed = await mux.jwt.signPlaybackId(playback, { type: "video", expiration: `${seconds}s` });
  const event = {
    pk: `TENANT#${link.tenant}#PEER`, sk: randomUUID(), type: "share.opened", at: new Date(now).toISOString(),
    data: { share: link.id, asset: video.id },
  };
  await store.send(new PutCommand({ TableName: table, Item: event }));
  return [200, {
    playbackUrl: `https://stream.mux.com/${playback}.m3u8?token=${signed}`,
    expiresAt: new Date(expires).toISOString(),
    renewAfter: new Date(now + (expires - now) * 0.65).toISOString(),
    linkExpiresAt: link.expires_at,
    title: video.title,
  }];
}

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** An id as it is written: Crockford's base 32 of 128 bits. */
function ulid(bytes) {
  let number = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  for (let place = 0; place < 26; place += 1) {
    text = ALPHABET[Number(number & 31n)] + text;
    number >>= 5n;
  }
  return text;
}

function parse(token) {
  const bytes = Buffer.from(token, "base64url");
  return {
    share: `shr_${ulid(bytes.subarray(0, 16))}`,
    asset: `ast_${ulid(bytes.subarray(16, 32))}`,
    digest: createHash("sha256").update(bytes.subarray(32)).digest(),
  };
}

const server = createServer(async (request, response) => {
  let answer;
  try {
    answer = await open(request.url.split("/").at(-1), request.socket.remoteAddress);
  } catch (error) {
    answer = [500, { error: String(error) }];
  }
  const body = JSON.stringify(answer[1]);
  response.writeHead(answer[0], { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
