// What the page itself asks the staff API. `check.mjs` validates each against its schema.

export const STAFF_SIGN_IN = `mutation PageSignIn($input: StaffSignInInput!) {
  staffSignIn(input: $input) {
    session { accessToken accessTokenExpiresAt refreshToken }
    userErrors { code message }
  }
}`;

export const STAFF_REFRESH = `mutation PageRefresh($input: RefreshSessionInput!) {
  staffRefreshSession(input: $input) {
    session { accessToken accessTokenExpiresAt refreshToken }
    userErrors { code message }
  }
}`;

export const STAFF_SIGN_OUT = `mutation PageSignOut {
  staffSignOut(input: {}) { userErrors { code message } }
}`;

export const STAFF_FACTS = `query PageFacts {
  staffViewer { fullName email role }
  businesses(first: 1) { nodes { id business { businessName currency } } }
  supportTickets(first: 1, status: [OPEN]) { nodes { id number subject } }
}`;
