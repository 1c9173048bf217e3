// What the page knows of the catalogue and of the business that is signed in, kept as new as the last answer.

export class FactsStore {
  #session;
  #api;
  #state;
  #listeners = new Set();
  #reading = null;

  constructor(session, api) {
    this.#session = session;
    this.#api = api;
    this.#state = { facts: api.readFacts(null), answers: 0, problem: "" };
  }

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  state = () => this.#state;

  /** Reads the facts anew. */
  async read() {
    this.#set(await this.#news());
  }

  /**
   * An operation was answered; a mutation may have changed anything. The answer and what is new because of it are told in one go: the tab
   * that was run keeps what it was run with.
   */
  answered = async (kind) => {
    const news = kind === "mutation" ? await this.#news() : {};
    this.#set({ ...news, answers: this.#state.answers + 1 });
  };

  /** What has changed; nothing where a later reading has overtaken this one. */
  async #news() {
    const query = this.#session.signedIn ? this.#api.facts : this.#api.publicFacts;
    const reading = query ? this.#session.send({ query }) : Promise.resolve({ data: {} });
    this.#reading = reading;
    try {
      const { data, errors } = await reading;
      const news = { facts: this.#api.readFacts(data), problem: data ? "" : (errors?.[0]?.message ?? "") };
      return this.#reading === reading ? news : {};
    } catch (error) {
      return this.#reading === reading ? { problem: error.message } : {};
    }
  }

  #set(change) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
