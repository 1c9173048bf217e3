import "./workers.js";
import "graphiql/style.css";
import "./page.css";
import { createRoot } from "react-dom/client";
import { APIS } from "./api.js";
import { App } from "./app.jsx";
import { createFetcher } from "./fetcher.js";
import { LiveFeed } from "./live.js";
import { livePlugin } from "./live-panel.jsx";
import { Session } from "./session.js";
import { createSocket } from "./socket.js";
import { FactsStore } from "./store.js";

/**
 * What GraphiQL may keep: the theme for good, its sizes and history for as long as the window is open. Tabs and editors are not kept: each
 * visit opens with the examples.
 */
const NOT_KEPT = ["tabState", "query", "variables", "headers"].map((key) => `graphiql:${key}`);
const THEME = "graphiql:theme";
/** How wide a panel opens, as a part of what is right of it: narrower than GraphiQL has it, for the editors' sake. */
const DEFAULTS = { "graphiql:docExplorerFlex": "0.27" };
const keeper = (key) => (key === THEME ? localStorage : sessionStorage);
const storage = {
  getItem: (key) => keeper(key).getItem(key) ?? DEFAULTS[key] ?? null,
  setItem: (key, value) => NOT_KEPT.includes(key) || keeper(key).setItem(key, value),
  removeItem: (key) => keeper(key).removeItem(key),
  clear() {
    localStorage.removeItem(THEME);
    sessionStorage.clear();
  },
  get length() {
    return sessionStorage.length;
  },
};

const settings = JSON.parse(document.getElementById("settings").textContent);
const api = APIS[settings.api];
document.title = `Evolve Business ${api.title}`;
const session = new Session(settings.endpoint, api.session);
const facts = new FactsStore(session, api);
const socket = api.topics.length > 0 ? createSocket(settings.endpoint, session) : undefined;
const signOutField = api.session.signOut.field;
const fetcher = createFetcher({ endpoint: settings.endpoint, session, socket, signOutField, onAnswer: facts.answered });
const live = socket && livePlugin(new LiveFeed(session, socket, api.topics));

// Somebody else signed in, or nobody: what was known of the last one is forgotten. A renewal of tokens changes nothing.
let { turn } = session;
session.subscribe(() => {
  if (session.turn !== turn) facts.read();
  turn = session.turn;
});
facts.read();

createRoot(document.getElementById("root")).render(
  <App api={api} session={session} facts={facts} fetcher={fetcher} live={live} demo={settings.demo} storage={storage} />,
);
