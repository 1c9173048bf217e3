// Live updates by the clients that others use, `graphql-ws` and `graphql-sse`, against two servers on one database:
//   node live.mjs http://127.0.0.1:8080/graphql http://127.0.0.1:8081/graphql
// What is changed at the first is heard at the second. Exits 1 on any failure.
import assert from 'node:assert/strict';
import { createClient as createSocket } from 'graphql-ws';
import { createClient as createStream } from 'graphql-sse';
import WebSocket from 'ws';

const [one, other] = process.argv.slice(2);
if (!other) {
  console.error('usage: node live.mjs URL URL');
  process.exit(2);
}
// What reaches one server from another by looking back (SQLite) takes up to a quarter of a minute.
const WAIT_MS = 40_000;
const PASSWORD = 'correct horse battery staple 7';

async function ask(query, variables, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(one, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** The first of what comes, within the time. */
function first(iterator, what) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: nothing came`)), WAIT_MS).unref());
  return Promise.race([iterator.next(), late]);
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const { register } = await ask(
  `mutation($input: RegisterInput!) { register(input: $input) { session { accessToken } userErrors { code field message } } }`,
  {
    input: {
      businessName: 'Live Traders', businessEmail: 'live@example.com', industry: 'Retail', companySize: 'SIZE_2_10', country: 'KE',
      postalCode: '00100', fullName: 'Live', email: 'live@example.com', password: PASSWORD,
    },
  },
);
assert.deepEqual(register.userErrors, []);
const token = register.session.accessToken;
const authorization = `Bearer ${token}`;
const open = (subject) =>
  ask(
    `mutation($input: OpenSupportTicketInput!) { openSupportTicket(input: $input) { ticket { id } userErrors { code } } }`,
    { input: { subject, body: 'Why?' } },
    token,
  );
const listens = { query: 'subscription { supportTicketChanged { id subject status } }' };

// A socket that begins as nobody is refused, and said so.
const nobody = createSocket({ url: `${other.replace('http', 'ws')}/ws`, webSocketImpl: WebSocket, retryAttempts: 0 });
await assert.rejects(nobody.iterate({ query: '{ __typename }' }).next(), (event) => event.code === 4403);

const socket = createSocket({
  url: `${other.replace('http', 'ws')}/ws`, webSocketImpl: WebSocket, retryAttempts: 0, keepAlive: 1_000, connectionParams: { authorization },
});
const profile = await socket.iterate({ query: '{ viewer { business { businessName } } }' }).next();
assert.equal(profile.value.data.viewer.business.businessName, 'Live Traders');
await assert.rejects(socket.iterate({ query: '{ nothing }' }).next(), (errors) => errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED');

const stream = createStream({ url: other, headers: { authorization }, retryAttempts: 0 });
const queried = await stream.iterate({ query: '{ viewer { business { businessName } } }' }).next();
assert.equal(queried.value.data.viewer.business.businessName, 'Live Traders');

const [bySocket, byStream] = [socket.iterate(listens), stream.iterate(listens)];
const heard = Promise.all([first(bySocket, 'graphql-ws'), first(byStream, 'graphql-sse')]);
// Nothing says when an operation has begun to listen.
await pause(1_000);
const began = Date.now();
await open('From one server to another');
const told = await heard;
const took = Date.now() - began;
for (const { value } of told) assert.equal(value.data.supportTicketChanged.subject, 'From one server to another');
await bySocket.return();
await byStream.return();
await socket.dispose();
stream.dispose();
console.log(`live updates: graphql-ws and graphql-sse heard of a change at another server after ${took} ms`);
if (process.env.WITHIN_MS) assert.ok(took < Number(process.env.WITHIN_MS), `${took} ms`);
process.exit(0);
