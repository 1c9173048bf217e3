// What the page itself asks the API. `check.mjs` validates each against the schema.

export const SIGN_IN = `mutation PageSignIn($input: SignInInput!) {
  signIn(input: $input) {
    session { accessToken accessTokenExpiresAt refreshToken }
    userErrors { code message }
  }
}`;

export const REFRESH = `mutation PageRefresh($input: RefreshSessionInput!) {
  refreshSession(input: $input) {
    session { accessToken accessTokenExpiresAt refreshToken }
    userErrors { code message }
  }
}`;

export const SIGN_OUT = `mutation PageSignOut {
  signOut(input: {}) { userErrors { code message } }
}`;

const CATALOGUE = `products {
    code
    name
    plans {
      id
      name
      requiresVerification
      price { amount currency minorUnits }
      yearlyPrice { minorUnits }
    }
  }`;

export const PUBLIC_FACTS = `query PagePublicFacts {
  ${CATALOGUE}
}`;

export const FACTS = `query PageFacts {
  ${CATALOGUE}
  viewer {
    role
    user { fullName email }
    business { businessName }
  }
  subscriptions(status: [INCOMPLETE, TRIALING, ACTIVE, PAST_DUE, SUSPENDED], first: 20) {
    nodes {
      id
      interval
      cancelAt
      product { code name }
      plan { id name features { key name kind enabled } }
    }
  }
  openInvoices: invoices(filter: { status: [OPEN] }, first: 1) { nodes { id number } }
  lastInvoices: invoices(first: 1) { nodes { id number } }
}`;
