// The page: a bar to sign in with, above GraphiQL with the examples in its tabs.

import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { formatShortcutForOS, KEY_MAP, pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useId, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { ThemeSwitch } from "./theme.jsx";
import { variablesText, withFreshKey } from "./variables.js";

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

function SessionBar({ api, session, signedIn, facts, demo, problem, setProblem, setThemePlace }) {
  const { viewer } = facts;
  const greeting = viewer?.user ? `Signed in as ${viewer.user.email}` : "Signed in";
  return (
    <header className="session-bar" aria-label="Session">
      <h1>Evolve Business <span>{api.title}</span></h1>
      <p role="status" className={problem ? "problem" : undefined}>{problem || (signedIn ? greeting : api.hint(demo))}</p>
      <div className="theme" role="group" aria-label="Theme" ref={setThemePlace} />
      {signedIn ? (
        <SignedIn session={session} viewer={viewer} setProblem={setProblem} />
      ) : (
        <SignInForm session={session} demo={demo} setProblem={setProblem} />
      )}
    </header>
  );
}

/** Reads the schema anew for whoever has signed in, where it was refused to nobody; renders nothing. */
function SchemaReader({ signedIn }) {
  const refused = useGraphiQL(({ schema, isIntrospecting }) => !schema && !isIntrospecting);
  const { introspect } = useGraphiQLActions();
  useEffect(() => {
    if (signedIn && refused) introspect();
    // Once for each sign-in: a refusal is not asked again and again.
  }, [signedIn]);
  return null;
}

/** As much in view as can be read well: GraphiQL's letters are larger. Renders nothing. */
const LETTERS = { fontSize: 13, lineHeight: 20 };
function EditorLooks() {
  const { queryEditor, variableEditor, headerEditor, responseEditor } = useGraphiQL(pick("queryEditor", "variableEditor", "headerEditor", "responseEditor"));
  useEffect(() => {
    for (const editor of [queryEditor, variableEditor, headerEditor, responseEditor]) editor?.updateOptions(LETTERS);
  }, [queryEditor, variableEditor, headerEditor, responseEditor]);
  return null;
}

/** Says what to do, where nothing was run in the tab in view. */
function ResultHint() {
  const empty = useGraphiQL(({ tabs, activeTabIndex, isFetching }) => !isFetching && !tabs[activeTabIndex]?.response);
  const key = formatShortcutForOS(KEY_MAP.runQuery.key);
  return empty && <p className="result-hint">Run the tab with <kbd>{key}</kbd> or the button beside it: the answer shows here.</p>;
}

/** Fills the variables of the tab in view, unless somebody has edited them; renders nothing. */
function Filler({ examples: all, facts, demo, answers }) {
  const { tabs, activeTabIndex, variableEditor } = useGraphiQL(({ tabs, activeTabIndex, variableEditor }) => ({
    tabs,
    activeTabIndex,
    variableEditor,
  }));
  const { updateActiveTabValues } = useGraphiQLActions();
  // For each example's tab: the text put there last, and the tab whose last run is shown (its variables stay as they were sent).
  const examples = useRef(null);
  examples.current ??= new Map(tabs.map((tab, index) => [tab.id, { example: all[index], text: "" }]));
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

export function App({ api, session, facts: store, fetcher, live, demo, storage }) {
  const [problem, setProblem] = useState("");
  const [themePlace, setThemePlace] = useState(null);
  const tabs = useMemo(() => api.examples.map(({ query }) => ({ query })), [api]);
  const plugins = useMemo(() => (live ? [live, HISTORY_PLUGIN] : [HISTORY_PLUGIN]), [live]);
  const token = useSyncExternalStore(session.subscribe, session.token);
  const { facts, answers, problem: factsProblem } = useSyncExternalStore(store.subscribe, store.state);
  const signedIn = token !== null;
  const bar = { api, session, facts, problem: problem || factsProblem, setProblem, demo, signedIn, setThemePlace };
  return (
    <>
      <SessionBar {...bar} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          plugins={plugins}
          defaultTabs={tabs}
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
                <Filler examples={api.examples} facts={facts} demo={demo} answers={answers} />
                <EditorLooks />
                <SchemaReader signedIn={signedIn} />
                <ThemeSwitch place={themePlace} />
              </>
            )}
          </GraphiQL.Toolbar>
          <GraphiQL.Footer>
            <ResultHint />
          </GraphiQL.Footer>
        </GraphiQL>
      </main>
    </>
  );
}
