// The panel of live updates, a plugin of GraphiQL: it listens while it is in view, whatever tab is run.

import { useEffect, useSyncExternalStore } from "react";

const STATUS = {
  closed: "",
  "signed-out": "Sign in to listen.",
  connecting: "Connecting…",
  listening: "Listening",
};
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function LiveIcon() {
  return (
    <svg height="1em" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" aria-hidden="true">
      <circle cx="12" cy="12" r="2" fill="currentColor" stroke="none" />
      <path d="M8 16a5.7 5.7 0 0 1 0-8M16 8a5.7 5.7 0 0 1 0 8M5 19a9.9 9.9 0 0 1 0-14M19 5a9.9 9.9 0 0 1 0 14" />
    </svg>
  );
}

function Message({ event }) {
  return (
    <li>
      <details>
        <summary>
          <span className="live-kind">
            {event.name} {event.state && <span data-state={event.state}>{event.state}</span>}
          </span>
          <time dateTime={event.at.toISOString()}>{TIME.format(event.at)}</time>
          <span className="live-title">{event.title}</span>
        </summary>
        <pre>{JSON.stringify(event.data, null, 2)}</pre>
      </details>
    </li>
  );
}

function LivePanel({ feed }) {
  const { status, events, refused, problem } = useSyncExternalStore(feed.subscribe, feed.state);
  useEffect(() => feed.open(), [feed]);
  return (
    <section className="live" aria-label="Live updates">
      <header>
        <h2>Live updates</h2>
        {events.length > 0 && <button type="button" onClick={feed.clear}>Clear</button>}
      </header>
      <p className="live-status" data-status={status} role="status">{problem || STATUS[status]}</p>
      {events.length === 0 ? (
        <p>
          What changes in your business shows here as it happens, over one WebSocket, whoever changes it: a tab of this page, another window, or
          the worker. Run <strong>Cancel</strong> or <strong>Reactivate</strong>, say.
        </p>
      ) : (
        <ol>{events.map((event) => <Message key={event.id} event={event} />)}</ol>
      )}
      {refused.length > 0 && <p>Not for your role: {refused.join(", ")}.</p>}
    </section>
  );
}

/** The plugin that shows this feed. */
export function livePlugin(feed) {
  return { title: "Live updates", icon: LiveIcon, content: () => <LivePanel feed={feed} /> };
}
