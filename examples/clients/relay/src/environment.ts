// What Relay needs of a network: one function from an operation to its answer.
import { Environment, type FetchFunction, Network, RecordSource, Store } from 'relay-runtime';

/** What stands in `errors`: for callers that may not, for malformed requests and for faults. */
export class RequestError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** An environment for the server at `url`, as whoever `token` names at the time. */
export function environmentOf(url: string, token: () => string | null): Environment {
  const fetchFunction: FetchFunction = async ({ id, name }, variables) => {
    const bearer = token();
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json',
        ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
      },
      // The program has no documents in it: relay-compiler wrote them to persisted.json, by their hashes, and the server has that file.
      body: JSON.stringify({ documentId: `sha256:${id}`, operationName: name, variables }),
    });
    const answer = await response.json();
    // A field that failed is null, and the others stand: Relay shows them. Without any data the request as a whole was refused.
    if (!answer.data) throw new RequestError(answer.errors[0].extensions.code, answer.errors[0].message);
    return answer;
  };
  return new Environment({ network: Network.create(fetchFunction), store: new Store(new RecordSource()) });
}
