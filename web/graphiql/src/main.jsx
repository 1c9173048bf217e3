import "./workers.js";
import "graphiql/style.css";
import "./page.css";
import { createRoot } from "react-dom/client";
import { App } from "./app.jsx";
import { createFetcher } from "./fetcher.js";
import { Session } from "./session.js";
import { FactsStore } from "./store.js";

/** What GraphiQL may keep, for as long as the window is open: its looks and history. Tabs and editors are not kept: each visit opens with the examples. */
const NOT_KEPT = ["tabState", "query", "variables", "headers"].map((key) => `graphiql:${key}`);
const storage = {
  getItem: (key) => sessionStorage.getItem(key),
  setItem: (key, value) => NOT_KEPT.includes(key) || sessionStorage.setItem(key, value),
  removeItem: (key) => sessionStorage.removeItem(key),
  clear: () => sessionStorage.clear(),
  get length() {
    return sessionStorage.length;
  },
};

const settings = JSON.parse(document.getElementById("settings").textContent);
const session = new Session(settings.endpoint);
const facts = new FactsStore(session);
const fetcher = createFetcher({ endpoint: settings.endpoint, session, onAnswer: facts.answered });

// Somebody else signed in, or nobody: what was known of the last one is forgotten. A renewal of tokens changes nothing.
let signedIn = false;
session.subscribe(() => {
  if (session.signedIn !== signedIn) facts.read();
  signedIn = session.signedIn;
});
facts.read();

createRoot(document.getElementById("root")).render(
  <App session={session} facts={facts} fetcher={fetcher} settings={settings} storage={storage} />,
);
