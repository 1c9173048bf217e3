// Live updates as the panel shows them: what was heard while it is open, newest first.

/** As many messages are kept. */
const KEPT = 100;

export class LiveFeed {
  #session;
  #socket;
  #topics;
  #listeners = new Set();
  #state = { status: "closed", events: [], refused: [], problem: "" };
  #open = false;
  #turn;
  #ends = [];
  #count = 0;

  /** `socket` is a client of graphql-ws; `topics` are those of `live-topics.js`. */
  constructor(session, socket, topics) {
    this.#session = session;
    this.#socket = socket;
    this.#topics = topics;
    this.#turn = session.turn;
    socket.on("connected", () => this.#ends.length > 0 && this.#set({ status: "listening", problem: "" }));
    socket.on("closed", () => this.#ends.length > 0 && this.#set({ status: "connecting" }));
    session.subscribe(() => {
      if (session.turn === this.#turn) return;
      this.#turn = session.turn;
      // What one person heard is not the next one's.
      this.#set({ events: [] });
      this.#listen();
    });
  }

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * `status`: "closed", "signed-out", "connecting" or "listening"; `events`: `{ id, at, name, title, state, data }`, newest first;
   * `refused`: the names of topics that this person may not listen for; `problem`: what went wrong otherwise.
   */
  state = () => this.#state;

  /** Listens from now on, as whoever is signed in; returns how to stop that. */
  open() {
    this.#open = true;
    this.#listen();
    return () => {
      this.#open = false;
      this.#listen();
    };
  }

  clear = () => this.#set({ events: [] });

  /** Ends what is listened for, and begins again where the panel is open and somebody is signed in. */
  #listen() {
    for (const end of this.#ends.splice(0)) end();
    const listens = this.#open && this.#session.signedIn;
    this.#set({ status: listens ? "connecting" : this.#open ? "signed-out" : "closed", refused: [], problem: "" });
    if (listens) this.#ends = this.#topics.map((topic) => this.#hear(topic));
  }

  #hear(topic) {
    let over = false;
    const end = this.#socket.subscribe(
      { query: topic.query },
      {
        next: ({ data, errors }) => {
          if (over) return;
          if (errors) this.#refuse(topic, errors);
          else this.#tell(topic, data);
        },
        error: (error) => over || this.#refuse(topic, Array.isArray(error) ? error : [{ message: said(error) }]),
        complete: () => {},
      },
    );
    return () => {
      over = true;
      end();
    };
  }

  #tell(topic, data) {
    this.#count += 1;
    const event = { id: this.#count, at: new Date(), name: topic.name, ...topic.read(data), data };
    this.#set({ events: [event, ...this.#state.events].slice(0, KEPT) });
  }

  #refuse(topic, errors) {
    if (errors.every(({ extensions }) => extensions?.code === "FORBIDDEN")) this.#set({ refused: [...this.#state.refused, topic.name] });
    else this.#set({ problem: errors[0].message });
  }

  #set(change) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** What to say of a socket that will not be opened again. */
function said(event) {
  if (event?.code) return `The connection was closed (${event.code}${event.reason ? `: ${event.reason}` : ""}).`;
  return event?.message ?? "The connection was lost.";
}
