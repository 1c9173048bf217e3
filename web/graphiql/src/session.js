// Who is signed in on this page. The tokens live in this object alone: not in storage, not in a cookie; a reload signs out.

import { readOperation } from "./document.js";
import { REFRESH, SIGN_IN, SIGN_OUT } from "./operations.js";

/** How the business API signs in, renews and signs out. */
const BUSINESS = {
  signIn: { field: "signIn", query: SIGN_IN },
  refresh: { field: "refreshSession", query: REFRESH },
  signOut: { field: "signOut", query: SIGN_OUT },
};

/** A token this close to its end is renewed before it is used. */
const RENEW_BEFORE_MS = 30_000;

/** Whether an answer says that nobody is signed in, and asking again does nothing twice. */
function refusedAsAnonymous(params, result) {
  if (!result?.errors?.some((error) => error.extensions?.code === "UNAUTHENTICATED")) return false;
  const didNothing = Object.values(result.data ?? {}).every((value) => value === null);
  return didNothing || readOperation(params).operation?.operation === "query";
}

export class Session {
  #endpoint;
  #operations;
  #tokens = null;
  #renewal = null;
  #listeners = new Set();
  #turn = 0;

  constructor(endpoint, operations = BUSINESS) {
    this.#endpoint = endpoint;
    this.#operations = operations;
  }

  get signedIn() {
    return this.#tokens !== null;
  }

  /** Calls `listener` after each sign-in, renewal and sign-out; returns how to stop that. */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The access token that stands for this sign-in: changes with each, for `useSyncExternalStore`. */
  token = () => this.#tokens?.accessToken ?? null;

  /** A number that grows with each sign-in and sign-out, and with no renewal: whose turn it is on this page. */
  get turn() {
    return this.#turn;
  }

  /** Goes on as the holder of these tokens; `null` signs out here (the server is not told). */
  adopt(tokens) {
    this.#turn += 1;
    this.#hold(tokens);
  }

  #hold(tokens) {
    this.#tokens = tokens;
    for (const listener of this.#listeners) listener();
  }

  /** Signs in; answers the `userErrors`, none when it went well. */
  async signIn(input) {
    const payload = await this.#ask(this.#operations.signIn, { input });
    if (payload.session) this.adopt(payload.session);
    return payload.userErrors;
  }

  /** Ends the session on the server, and here whatever the server says. */
  async signOut() {
    const token = await this.bearer().finally(() => this.adopt(null));
    if (token) await this.#ask(this.#operations.signOut, {}, { authorization: `Bearer ${token}` });
  }

  /** An access token that is good for a while yet, or null. */
  async bearer() {
    const expiresAt = Date.parse(this.#tokens?.accessTokenExpiresAt ?? "");
    if (this.#tokens && expiresAt - Date.now() < RENEW_BEFORE_MS) await this.#renew();
    return this.token();
  }

  /** Sends one operation as whoever is signed in, unless `headers` bring an authorization of their own. */
  async send(params, headers = {}) {
    if (Object.keys(headers).some((name) => name.toLowerCase() === "authorization")) return this.#post(params, headers);
    const token = await this.bearer();
    if (!token) return this.#post(params, headers);
    const result = await this.#post(params, { ...headers, authorization: `Bearer ${token}` });
    if (!refusedAsAnonymous(params, result)) return result;
    // The token was ended early, on the server's side. Whoever signed out meanwhile stays signed out.
    if (this.token() === token) await this.#renew();
    const next = this.token();
    return next ? this.#post(params, { ...headers, authorization: `Bearer ${next}` }) : result;
  }

  /** Renews once for however many ask at the same time: a refresh token is good for one use. */
  #renew() {
    this.#renewal ??= this.#exchange(this.#tokens).finally(() => (this.#renewal = null));
    return this.#renewal;
  }

  async #exchange(tokens) {
    const payload = await this.#ask(this.#operations.refresh, { input: { refreshToken: tokens.refreshToken } });
    if (this.#tokens !== tokens) return;
    if (payload.session) this.#hold(payload.session);
    else this.adopt(null);
  }

  async #ask({ field, query }, variables, headers = {}) {
    const result = await this.#post({ query, variables }, headers);
    const payload = result.data?.[field];
    if (!payload) throw new Error(result.errors?.[0]?.message ?? "The server did not answer.");
    return payload;
  }

  async #post(params, headers) {
    const response = await fetch(this.#endpoint, {
      method: "POST",
      credentials: "omit",
      headers: { "content-type": "application/json", accept: "application/graphql-response+json, application/json;q=0.9", ...headers },
      body: JSON.stringify(params),
    });
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new Error(`The server answered ${response.status} with what is no JSON: ${text.slice(0, 200)}`, { cause });
    }
  }
}
