// The text of the variables editor.

import { uuid } from "./uuid.js";

/** The text for the variables editor: JSON, with a comment that says what was filled in. */
export function variablesText(example, facts, demo) {
  if (!example.variables) return "";
  return `// ${example.note(facts, demo).replace(/\s+/g, " ")}\n${JSON.stringify(example.variables(facts, demo), null, 2)}\n`;
}

/** The same text with new keys for what counts once: the next run is a new order, or another event, not a repetition. */
export function withFreshKey(text) {
  return text.replace(/("(?:idempotencyKey|eventId)"\s*:\s*)"[^"]*"/g, (_match, head) => `${head}"${uuid()}"`);
}
