// The feed of live updates over a socket that is played here, message by message.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { LiveFeed } from "../src/live.js";

const TOPICS = [
  { name: "Invoice", query: "subscription { invoiceChanged }", read: ({ invoiceChanged }) => ({ title: invoiceChanged, state: "PAID" }) },
  { name: "Ticket", query: "subscription { ticketChanged }", read: ({ ticketChanged }) => ({ title: ticketChanged, state: "" }) },
];

/** A session of which the test says who is signed in. */
class PlayedSession {
  listeners = [];
  turn = 0;
  signedIn = false;
  subscribe = (listener) => this.listeners.push(listener);
  becomes(signedIn) {
    this.signedIn = signedIn;
    this.turn += 1;
    this.renews();
  }
  renews() {
    for (const listener of this.listeners) listener();
  }
}

/** A client of graphql-ws that keeps who listens, by their query. */
class PlayedSocket {
  sinks = new Map();
  handlers = {};
  on = (name, handler) => (this.handlers[name] = handler);
  subscribe = ({ query }, sink) => {
    this.sinks.set(query, sink);
    return () => this.sinks.get(query) === sink && this.sinks.delete(query);
  };
}

let session, socket, feed;
beforeEach(() => {
  session = new PlayedSession();
  socket = new PlayedSocket();
  feed = new LiveFeed(session, socket, TOPICS);
});
const hears = (index, message) => socket.sinks.get(TOPICS[index].query).next(message);
const titles = () => feed.state().events.map(({ title }) => title);

test("nothing is listened for while the panel is closed or nobody is signed in", () => {
  session.becomes(true);
  assert.equal(socket.sinks.size, 0);
  assert.equal(feed.state().status, "closed");
  session.becomes(false);
  feed.open();
  assert.equal(socket.sinks.size, 0);
  assert.equal(feed.state().status, "signed-out");
});

test("an open panel listens for every topic once somebody has signed in, and shows the newest first", () => {
  feed.open();
  session.becomes(true);
  assert.equal(feed.state().status, "connecting");
  socket.handlers.connected();
  assert.equal(feed.state().status, "listening");
  hears(0, { data: { invoiceChanged: "INV-1" } });
  hears(1, { data: { ticketChanged: "Help" } });
  assert.deepEqual(titles(), ["Help", "INV-1"]);
  assert.deepEqual(feed.state().events[1].state, "PAID");
});

test("closing the panel ends listening and keeps what was heard", () => {
  const close = feed.open();
  session.becomes(true);
  hears(0, { data: { invoiceChanged: "INV-1" } });
  const late = socket.sinks.get(TOPICS[0].query);
  close();
  assert.equal(socket.sinks.size, 0);
  late.next({ data: { invoiceChanged: "INV-2" } });
  assert.deepEqual(titles(), ["INV-1"]);
});

test("what one person heard is forgotten when another signs in, and kept when a token is renewed", () => {
  feed.open();
  session.becomes(true);
  hears(0, { data: { invoiceChanged: "INV-1" } });
  session.renews();
  assert.deepEqual(titles(), ["INV-1"]);
  session.becomes(true);
  assert.deepEqual(titles(), []);
  assert.equal(socket.sinks.size, TOPICS.length);
});

test("a topic that a role may not listen for is named, and the others go on", () => {
  feed.open();
  session.becomes(true);
  socket.sinks.get(TOPICS[0].query).error([{ message: "No.", extensions: { code: "FORBIDDEN" } }]);
  hears(1, { data: { ticketChanged: "Help" } });
  assert.deepEqual(feed.state().refused, ["Invoice"]);
  assert.equal(feed.state().problem, "");
  assert.deepEqual(titles(), ["Help"]);
});

test("a connection that is lost for good is said with its code", () => {
  feed.open();
  session.becomes(true);
  socket.sinks.get(TOPICS[0].query).error({ code: 1013, reason: "too slow" });
  assert.equal(feed.state().problem, "The connection was closed (1013: too slow).");
});

test("no more than a hundred messages are kept", () => {
  feed.open();
  session.becomes(true);
  for (let n = 1; n <= 101; n += 1) hears(0, { data: { invoiceChanged: `INV-${n}` } });
  assert.equal(titles().length, 100);
  assert.equal(titles()[0], "INV-101");
  assert.equal(titles().at(-1), "INV-2");
});
