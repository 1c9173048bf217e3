// Reading GraphQL documents.

import { getOperationAST, parse } from "graphql";

/** The document and the operation that these request parameters run; nulls for what the server had better explain. */
export function readOperation({ query, operationName }) {
  try {
    const document = parse(query);
    // The editor learns an operation's name a moment after its text: a name left over from another tab is passed over.
    return { document, operation: getOperationAST(document, operationName) ?? getOperationAST(document) ?? null };
  } catch {
    return { document: null, operation: null };
  }
}
