// The tabs of the staff API's page: what the platform's own people do all day. In the form of `examples.js`.

import { uuid } from "./uuid.js";

const USER_ERRORS = "userErrors { code message field }";

/** A day so many days from now, in UTC. */
const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

const nameOf = ({ business }) => business?.businessName ?? "No business has registered yet.";

export const STAFF_EXAMPLES = [
  {
    query: `# 1. Sign in. The bar above does the same; either way
#    this page sends the token with each request from now on.
mutation StaffSignIn($input: StaffSignInInput!) {
  staffSignIn(input: $input) {
    session {
      accessToken
      accessTokenExpiresAt
      refreshToken
      refreshTokenExpiresAt
    }
    staffUser { fullName role }
    ${USER_ERRORS}
  }
}`,
    variables: () => ({ input: { email: "", password: "" } }),
    note: () => "What “evolve-business staff add” printed",
  },
  {
    query: `# 2. Who is calling?
query Viewer {
  staffViewer { id fullName email role twoFactorEnabled }
}`,
  },
  {
    query: `# 3. Find a business, by a part of its name or address.
query Businesses($search: String, $filter: BusinessFilter) {
  businesses(first: 20, search: $search, filter: $filter) {
    nodes {
      id
      business {
        businessName
        businessEmail
        country
        subscriptionStatus
        balance { amount currency }
        verification { status }
      }
      suspensionReason
    }
    totalCount
    pageInfo { hasNextPage endCursor }
  }
}`,
    variables: () => ({ search: null, filter: {} }),
    note: () => "Everybody, the newest first",
  },
  {
    query: `# 4. Everything about one of them, in one request.
query Business($id: ID!) {
  business(id: $id) {
    business {
      businessName
      timeZone
      taxExempt
      members(first: 10) { nodes { role user { fullName email } } }
    }
    subscriptions(first: 10) {
      nodes { id status product { code } plan { name } price { amount currency } endDate }
    }
    invoices(first: 10) { nodes { id number status total { amount currency } amountDue { amount } } }
    payments(first: 10) { nodes { id status methodLabel amount { amount currency } failureMessage } }
    auditEvents(first: 10) { nodes { at actor action subject } }
  }
}`,
    variables: ({ business }) => ({ id: business?.id ?? "" }),
    note: nameOf,
  },
  {
    query: `# 5. What is on sale, with the history of its prices.
query Plans {
  plans(includeArchived: true) {
    id
    plan { name product { code } price { amount currency } }
    liveSubscriptions
  }
}`,
  },
  {
    query: `# 6. What is owed, and what became of collecting it.
query Collections($currency: CurrencyCode!) {
  collections(currency: $currency) {
    byStatus { status count }
    retrying
    unknownPayments
  }
  invoices(first: 10, filter: { status: [OPEN], currency: $currency }) {
    nodes { id number issuedAt dueAt amountDue { amount currency } nextAttemptAt }
  }
}`,
    variables: ({ business }) => ({ currency: business?.currency ?? "USD" }),
    note: () => "In one currency at a time",
  },
  {
    query: `# 7. Recurring revenue, month by month, and what moved it.
query Revenue(
  $from: Date!
  $to: Date!
  $currency: CurrencyCode!
) {
  revenue(
    from: $from
    to: $to
    currency: $currency
    bucket: MONTH
  ) {
    start
    mrr { amount }
    new { amount }
    expansion { amount }
    contraction { amount }
    churned { amount }
    activeSubscriptions
    customerChurnRate
  }
}`,
    variables: ({ business }) => ({ from: day(-365), to: day(0), currency: business?.currency ?? "USD" }),
    note: () => "The last twelve months",
  },
  {
    query: `# 8. The books: what each event of money posted, in double entry.
query Ledger($businessId: ID) {
  ledger(businessId: $businessId, first: 10) {
    nodes {
      at
      kind
      subject
      postings { account amount { amount currency } }
    }
  }
}`,
    variables: ({ business }) => ({ businessId: business?.id ?? null }),
    note: nameOf,
  },
  {
    query: `# 9. Who waits for support?
query SupportTickets {
  supportTickets(first: 10, status: [OPEN]) {
    nodes {
      id
      number
      subject
      priority
      updatedAt
      business { businessName }
      messages(last: 3) { nodes { author fromStaff body createdAt } }
    }
  }
}`,
  },
  {
    query: `# 10. Answer a ticket. Whoever opened it sees the answer at once,
#     in the application and in their mail.
mutation ReplyToTicket($input: ReplyToSupportTicketInput!) {
  replyToSupportTicket(input: $input) {
    ticket { number status }
    ${USER_ERRORS}
  }
}`,
    variables: ({ ticket }) => ({ input: { ticketId: ticket?.id ?? "", body: "We are looking into it." } }),
    note: ({ ticket }) => (ticket ? `${ticket.number}: ${ticket.subject}` : "Nobody waits."),
  },
  {
    query: `# 11. Make a coupon.
mutation CreateCoupon($input: CreateCouponInput!) {
  createCoupon(input: $input) {
    coupon { id code percentOff periods maxRedemptions }
    ${USER_ERRORS}
  }
}`,
    variables: () => ({ input: { code: `WELCOME-${uuid().slice(0, 4).toUpperCase()}`, value: { percentOff: "20" }, periods: 3, maxRedemptions: 100 } }),
    note: () => "A fifth off the first three periods",
  },
  {
    query: `# 12. Who of the platform did what: a chain in which
#     each event carries the hash of the one before it.
query AuditEvents {
  auditEvents(first: 20) {
    nodes { sequence at actor action subject details }
  }
}`,
  },
];
