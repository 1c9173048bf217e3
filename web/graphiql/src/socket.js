// The page's one WebSocket, for whatever listens: a tab that runs, and the panel of live updates.

import { createClient } from "graphql-ws";

/** The token is missing, not good, or over (docs/live-updates.md). */
const FORBIDDEN = 4403;

/** A client of live updates as whoever is signed in: where somebody else signs in, it connects anew as them. */
export function createSocket(endpoint, session) {
  const url = new URL(`${endpoint}/ws`, window.location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const client = createClient({
    url: url.href,
    lazy: true,
    async connectionParams() {
      const token = await session.bearer();
      return token ? { authorization: `Bearer ${token}` } : {};
    },
    shouldRetry: (event) => event?.code !== FORBIDDEN || session.signedIn,
  });
  let turn = session.turn;
  session.subscribe(() => {
    if (session.turn !== turn) client.terminate();
    turn = session.turn;
  });
  return client;
}
