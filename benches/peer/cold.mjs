// The peer of the bench `cold`: a Lambda function that takes Mux's webhooks with Mux's own SDK and the
// AWS SDK, bundled by esbuild. Its loop is the least that speaks the Runtime API, so it starts sooner than
// the managed runtime of Lambda does. It reads nothing: the conditions of its one transaction suffice.

import http from "node:http";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import Mux from "@mux/mux-node";

const TableName = process.env.TABLE_NAME;
const store = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const mux = new Mux({
  tokenId: process.env.MUX_TOKEN_ID,
  tokenSecret: process.env.MUX_TOKEN_SECRET,
  webhookSecret: process.env.MUX_WEBHOOK_SIGNING_SECRET,
});
const STATES = { "video.asset.created": "preparing", "video.asset.ready": "ready", "video.asset.errored": "errored" };

async function handler(request) {
  let event;
  try {
    event = await mux.webhooks.unwrap(request.body, request.headers);
  } catch {
    return answer(401, { title: "the signature is wrong" });
  }
  const state = STATES[event.type];
  if (!state) return answer(200, { outcome: "ignored" });
  const now = new Date().toISOString();
  const expires = Math.floor(Date.now() / 1000) + 30 * 86_400;
  const receipt = { pk: `PEER-EVENT#${event.id}`, sk: "RECEIPT", kind: event.type, at: event.created_at, expires };
  const audit = { pk: `PEER-AUDIT#${event.data.passthrough}`, sk: event.id, type: `asset.${state}`, at: now };
  try {
    await store.send(new TransactWriteCommand({
      TransactItems: [
        { Put: { TableName, Item: receipt, ConditionExpression: "attribute_not_exists(pk)" } },
        {
          Update: {
            TableName,
            Key: { pk: `PEER-ASSET#${event.data.passthrough}`, sk: "ASSET" },
            UpdateExpression: "SET #state = :state, #duration = :duration, playback_ids = :playback, event_at = :at",
            ConditionExpression: "attribute_not_exists(event_at) OR event_at < :at",
            ExpressionAttributeNames: { "#state": "state", "#duration": "duration" },
            ExpressionAttributeValues: {
              ":state": state,
              ":duration": event.data.duration ?? 0,
              ":playback": event.data.playback_ids ?? [],
              ":at": event.created_at,
            },
          },
        },
        { Put: { TableName, Item: audit } },
      ],
    }));
  } catch (error) {
    if (error.name === "TransactionCanceledException") return answer(200, { outcome: "duplicate" });
    throw error;
  }
  return answer(200, { outcome: "applied" });
}

function answer(statusCode, body) {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime${path}`, agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve([response.headers, Buffer.concat(parts).toString()]));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function run() {
  for (;;) {
    const [headers, text] = await call("GET", "/invocation/next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      await call("POST", `/invocation/${id}/response`, JSON.stringify(await handler(JSON.parse(text))));
    } catch (error) {
      await call("POST", `/invocation/${id}/error`, JSON.stringify({ errorMessage: String(error) }));
    }
  }
}

run();
