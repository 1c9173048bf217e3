// How GraphiQL reaches the API: over HTTP as whoever is signed in, live updates over a WebSocket.

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { readOperation } from "./document.js";

/** The session in a payload that gives one (`signIn`, `register`, `switchBusiness`…), else undefined. */
function sessionIn(data) {
  return Object.values(data ?? {}).find((payload) => payload?.session?.refreshToken)?.session;
}

/** Whether a `signOut` (the API's `field`) in this operation went well. */
function signedOut(operation, data, field) {
  const fields = operation.selectionSet.selections.filter((selection) => selection.name?.value === field);
  return fields.some(({ alias, name }) => data?.[alias?.value ?? name.value]?.userErrors?.length === 0);
}

/**
 * The fetcher. `socket` is none where the API has nothing to listen for. `onAnswer(operation)` runs (and is waited for) after each operation
 * that was answered, before the answer is shown: what the tabs are filled with is then as new as what the reader sees.
 */
export function createFetcher({ endpoint, session, socket, signOutField, onAnswer }) {
  const post = async (_url, { body, headers }) => {
    const { "content-type": _type, accept: _accept, ...own } = headers;
    const result = await session.send(JSON.parse(body), own);
    return { json: () => result };
  };
  const fetcher = createGraphiQLFetcher({
    url: endpoint,
    fetch: post,
    wsClient: socket,
    enableIncrementalDelivery: false,
  });

  return async (params, options) => {
    if (params.operationName === "IntrospectionQuery") return fetcher(params, options);
    const { document, operation } = readOperation(params);
    if (!operation) return fetcher(params, { ...options, documentAST: undefined });
    const operationName = operation.name?.value ?? null;
    const result = await fetcher({ ...params, operationName }, { ...options, documentAST: document });
    if (operation.operation === "subscription") return result;
    const tokens = sessionIn(result.data);
    if (tokens) session.adopt(tokens);
    else if (operation.operation === "mutation" && signedOut(operation, result.data, signOutField)) session.adopt(null);
    await onAnswer(operation.operation);
    return result;
  };
}
