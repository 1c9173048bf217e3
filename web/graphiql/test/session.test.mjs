// The page's session against a server that is played here, request by request.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Session } from "../src/session.js";

const MINUTE_MS = 60_000;
const UNAUTHENTICATED = { message: "Sign in first.", extensions: { code: "UNAUTHENTICATED" } };
const QUERY = { query: "query Q { profile { id } }" };
const MUTATION = { query: "mutation M { cancel(input: {}) { userErrors { code } } }" };

/** Every request the page made: what ran, and as whom. */
let requests;
/** Answers to what is neither sign-in nor renewal, in their order; the last one repeats. */
let answers;
/** How long the access tokens of the played server last. */
let tokenLifeMs;
let issued;
const realFetch = globalThis.fetch;

function tokens() {
  issued += 1;
  const accessTokenExpiresAt = new Date(Date.now() + tokenLifeMs).toISOString();
  return { accessToken: `access-${issued}`, accessTokenExpiresAt, refreshToken: `refresh-${issued}` };
}

function answer({ query, variables }) {
  if (query.includes("signIn")) return { data: { signIn: { session: tokens(), userErrors: [] } } };
  if (query.includes("refreshSession")) {
    const good = variables.input.refreshToken === `refresh-${issued}`;
    return { data: { refreshSession: good ? { session: tokens(), userErrors: [] } : { session: null, userErrors: [{ code: "TOKEN_EXPIRED" }] } } };
  }
  return answers.length > 1 ? answers.shift() : answers[0];
}

beforeEach(() => {
  requests = [];
  answers = [{ data: { profile: { id: "biz_1" } } }];
  tokenLifeMs = 15 * MINUTE_MS;
  issued = 0;
  globalThis.fetch = async (_url, { body, headers }) => {
    const params = JSON.parse(body);
    requests.push({ field: /\{\s*(\w+)/.exec(params.query)[1], authorization: new Headers(headers).get("authorization") });
    await new Promise((resolve) => setImmediate(resolve));
    return new Response(JSON.stringify(answer(params)));
  };
});
afterEach(() => {
  globalThis.fetch = realFetch;
});

async function signedIn() {
  const session = new Session("/graphql");
  assert.deepEqual(await session.signIn({ email: "a@example.com", password: "b" }), []);
  requests = [];
  return session;
}
const ran = () => requests.map(({ field, authorization }) => `${field} ${authorization ?? "-"}`);

test("a request carries the token once somebody has signed in", async () => {
  await new Session("/graphql").send(QUERY);
  const session = await signedIn();
  await session.send(QUERY);
  assert.deepEqual(ran(), ["profile Bearer access-1"]);
});

test("before sign-in a request carries no token", async () => {
  await new Session("/graphql").send(QUERY);
  assert.deepEqual(ran(), ["profile -"]);
});

test("an authorization typed by hand is sent as it is", async () => {
  const session = await signedIn();
  await session.send(QUERY, { Authorization: "Bearer sk_live_1" });
  assert.deepEqual(ran(), ["profile Bearer sk_live_1"]);
});

test("a token about to expire is renewed first, once for requests made together", async () => {
  tokenLifeMs = 29_000;
  const session = await signedIn();
  tokenLifeMs = 15 * MINUTE_MS;
  await Promise.all([session.send(QUERY), session.send(QUERY)]);
  assert.deepEqual(ran(), ["refreshSession -", "profile Bearer access-2", "profile Bearer access-2"]);
});

test("a token with more than half a minute left is used as it is", async () => {
  tokenLifeMs = 35_000;
  const session = await signedIn();
  await session.send(QUERY);
  assert.deepEqual(ran(), ["profile Bearer access-1"]);
});

test("a request refused for its token is sent once more with a new one", async () => {
  const session = await signedIn();
  answers = [{ errors: [UNAUTHENTICATED] }, { data: { cancel: { userErrors: [] } } }];
  assert.deepEqual(await session.send(MUTATION), { data: { cancel: { userErrors: [] } } });
  assert.deepEqual(ran(), ["cancel Bearer access-1", "refreshSession -", "cancel Bearer access-2"]);
});

test("a mutation that did something is not sent again", async () => {
  const session = await signedIn();
  answers = [{ data: { cancel: { userErrors: [] }, reactivate: null }, errors: [UNAUTHENTICATED] }];
  await session.send(MUTATION);
  assert.deepEqual(ran(), ["cancel Bearer access-1"]);
});

test("a query that was answered in part is sent again", async () => {
  const session = await signedIn();
  answers = [{ data: { products: [], profile: null }, errors: [UNAUTHENTICATED] }, { data: { products: [], profile: { id: "biz_1" } } }];
  assert.deepEqual((await session.send(QUERY)).data.profile, { id: "biz_1" });
});

test("a refresh token that is no longer good signs out", async () => {
  const session = await signedIn();
  issued = 9;
  answers = [{ errors: [UNAUTHENTICATED] }];
  assert.deepEqual(await session.send(QUERY), { errors: [UNAUTHENTICATED] });
  assert.equal(session.signedIn, false);
});

test("signing out forgets the token even when the server cannot be reached", async () => {
  const session = await signedIn();
  globalThis.fetch = async () => {
    throw new TypeError("Failed to fetch");
  };
  await assert.rejects(session.signOut(), /Failed to fetch/);
  assert.equal(session.signedIn, false);
});

test("an answer that is no JSON is reported with its status", async () => {
  globalThis.fetch = async () => new Response("<h1>Bad gateway</h1>", { status: 502 });
  await assert.rejects(new Session("/graphql").send(QUERY), /answered 502.*Bad gateway/);
});

test("a renewal is nobody else's turn; a sign-in, a sign-out and an end are", async () => {
  const session = await signedIn();
  const turns = [session.turn];
  const note = async (work) => {
    await work();
    turns.push(session.turn);
  };
  answers = [{ errors: [UNAUTHENTICATED] }, { data: { signOut: { userErrors: [] } } }];
  await note(() => session.send(QUERY));
  await note(() => session.signOut());
  await note(() => session.signIn({ email: "b@example.com", password: "c" }));
  issued = 9;
  answers = [{ errors: [UNAUTHENTICATED] }];
  await note(() => session.send(QUERY));
  assert.deepEqual(turns, [1, 1, 2, 3, 4]);
});
