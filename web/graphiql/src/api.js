// The two APIs that the page is for: what it asks each, what it fills the tabs with, and what it listens for.

import * as BUSINESS_OPERATIONS from "./operations.js";
import { EXAMPLES } from "./examples.js";
import { readFacts } from "./facts.js";
import { LIVE_TOPICS } from "./live-topics.js";
import { STAFF_EXAMPLES } from "./staff-examples.js";
import { readStaffFacts } from "./staff-facts.js";
import * as STAFF_OPERATIONS from "./staff-operations.js";

const BUSINESS = {
  title: "API",
  session: {
    signIn: { field: "signIn", query: BUSINESS_OPERATIONS.SIGN_IN },
    refresh: { field: "refreshSession", query: BUSINESS_OPERATIONS.REFRESH },
    signOut: { field: "signOut", query: BUSINESS_OPERATIONS.SIGN_OUT },
  },
  facts: BUSINESS_OPERATIONS.FACTS,
  publicFacts: BUSINESS_OPERATIONS.PUBLIC_FACTS,
  readFacts,
  examples: EXAMPLES,
  topics: LIVE_TOPICS,
  hint: (demo) => (demo ? "Sign in as the demo user, then run the tabs from left to right." : "Sign in, then run the tabs from left to right."),
};

const STAFF = {
  title: "Staff API",
  session: {
    signIn: { field: "staffSignIn", query: STAFF_OPERATIONS.STAFF_SIGN_IN },
    refresh: { field: "staffRefreshSession", query: STAFF_OPERATIONS.STAFF_REFRESH },
    signOut: { field: "staffSignOut", query: STAFF_OPERATIONS.STAFF_SIGN_OUT },
  },
  facts: STAFF_OPERATIONS.STAFF_FACTS,
  publicFacts: null,
  readFacts: readStaffFacts,
  examples: STAFF_EXAMPLES,
  topics: [],
  hint: () => "For the platform's own people: “evolve-business staff add” makes an account.",
};

/** By the name that the server gives it in the page's settings. */
export const APIS = { business: BUSINESS, staff: STAFF };
