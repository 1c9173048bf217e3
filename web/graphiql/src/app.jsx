// The page: a bar to sign in with, above GraphiQL with the examples in its tabs.

import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useId, useRef, useState, useSyncExternalStore } from "react";
import { EXAMPLES, variablesText, withFreshKey } from "./examples.js";

const TABS = EXAMPLES.map(({ query }) => ({ query }));
const PLUGINS = [HISTORY_PLUGIN];

function Field({ label, ...input }) {
  const id = useId();
  return (
    <span className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} required {...input} />
    </span>
  );
}

function SignInForm({ session, demo, setProblem }) {
  const [asksOtp, setAsksOtp] = useState(false);
  const [busy, setBusy] = useState(false);

  async function submit(event) {
    event.preventDefault();
    const { email, password, otp } = Object.fromEntries(new FormData(event.currentTarget));
    setBusy(true);
    setProblem("");
    try {
      const errors = await session.signIn({ email, password, ...(otp ? { otp } : {}) });
      if (errors.some((error) => error.code === "OTP_REQUIRED")) setAsksOtp(true);
      setProblem(errors.map((error) => error.message).join(" "));
    } catch (error) {
      setProblem(error.message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={submit} aria-label="Sign in">
      <Field label="E-mail" name="email" type="email" autoComplete="username" defaultValue={demo?.email} />
      <Field label="Password" name="password" type="password" autoComplete="current-password" defaultValue={demo?.password} />
      {asksOtp && <Field label="One-time code" name="otp" inputMode="numeric" autoComplete="one-time-code" />}
      <button type="submit" disabled={busy}>Sign in</button>
    </form>
  );
}

function SignedIn({ session, viewer, setProblem }) {
  const signOut = () => session.signOut().catch((error) => setProblem(error.message));
  return (
    <div className="signed-in">
      {viewer?.user && (
        <span>
          <strong>{viewer.user.fullName}</strong> · {viewer.business.businessName}
        </span>
      )}
      <button type="button" onClick={signOut}>Sign out</button>
    </div>
  );
}

function SessionBar({ session, signedIn, facts, demo, problem, setProblem }) {
  const { viewer } = facts;
  const greeting = viewer?.user ? `Signed in as ${viewer.user.email}` : "Signed in";
  const hint = demo ? "Sign in as the demo user, then run the tabs from left to right." : "Sign in, then run the tabs from left to right.";
  return (
    <header className="session-bar" aria-label="Session">
      <h1>Evolve Business <span>API</span></h1>
      <p role="status" className={problem ? "problem" : undefined}>{problem || (signedIn ? greeting : hint)}</p>
      {signedIn ? (
        <SignedIn session={session} viewer={viewer} setProblem={setProblem} />
      ) : (
        <SignInForm session={session} demo={demo} setProblem={setProblem} />
      )}
    </header>
  );
}

/** Fills the variables of the tab in view, unless somebody has edited them; renders nothing. */
function Filler({ facts, demo, answers }) {
  const { tabs, activeTabIndex, variableEditor } = useGraphiQL(({ tabs, activeTabIndex, variableEditor }) => ({
    tabs,
    activeTabIndex,
    variableEditor,
  }));
  const { updateActiveTabValues } = useGraphiQLActions();
  // For each example's tab: the text put there last, and the tab whose last run is shown (its variables stay as they were sent).
  const examples = useRef(null);
  examples.current ??= new Map(tabs.map((tab, index) => [tab.id, { example: EXAMPLES[index], text: "" }]));
  const ran = useRef(null);
  const tabId = tabs[activeTabIndex]?.id;

  // The tab is told at once: GraphiQL does so half a second later, and puts the old text back when the tab is clicked before.
  const put = (text) => {
    variableEditor.setValue(text);
    updateActiveTabValues({ variables: text });
  };

  useEffect(() => {
    if (answers > 0) ran.current = tabId;
    const entry = examples.current.get(tabId);
    const shown = variableEditor?.getValue();
    if (answers === 0 || !entry || !shown) return;
    const next = withFreshKey(shown);
    if (next === shown) return;
    if (shown === entry.text) entry.text = next;
    put(next);
    // Once for each answer, whatever tab is in view then.
  }, [answers]);

  useEffect(() => {
    if (ran.current !== tabId) ran.current = null;
    const entry = examples.current.get(tabId);
    if (!variableEditor || !entry || ran.current) return;
    const shown = variableEditor.getValue();
    if (shown !== "" && shown !== entry.text) return;
    entry.text = variablesText(entry.example, facts, demo);
    if (shown !== entry.text) put(entry.text);
  }, [tabId, variableEditor, facts, demo]);

  return null;
}

export function App({ session, facts: store, fetcher, settings, storage }) {
  const [problem, setProblem] = useState("");
  const token = useSyncExternalStore(session.subscribe, session.token);
  const { facts, answers, problem: factsProblem } = useSyncExternalStore(store.subscribe, store.state);
  const bar = { session, facts, problem: problem || factsProblem, setProblem, demo: settings.demo, signedIn: token !== null };
  return (
    <>
      <SessionBar {...bar} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          plugins={PLUGINS}
          defaultTabs={TABS}
          defaultEditorToolsVisibility="variables"
          showPersistHeadersSettings={false}
        >
          <GraphiQL.Logo> </GraphiQL.Logo>
          <GraphiQL.Toolbar>
            {({ prettify, copy, merge }) => (
              <>
                {prettify}
                {merge}
                {copy}
                <Filler facts={facts} demo={settings.demo} answers={answers} />
              </>
            )}
          </GraphiQL.Toolbar>
        </GraphiQL>
      </main>
    </>
  );
}
