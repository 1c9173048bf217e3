// The tabs the page opens with: one operation for each step of the main job, in its order.
// `variables` fills them from what is known; `note` says in words what was filled in. `check.mjs` validates both against the schema.
// A field that is not null is filled even where it has a default: the editor marks it as missing otherwise.

import { meteredFeature, planToChangeTo, planToSubscribe, subscriptionToChange, subscriptionToReactivate } from "./facts.js";
import { uuid } from "./uuid.js";

const USER_ERRORS = "userErrors { code message field }";

const SESSION = `session {
      accessToken
      accessTokenExpiresAt
      refreshToken
      refreshTokenExpiresAt
    }`;

const INVOICE = `invoice {
      id
      number
      status
      total { amount currency }
      amountPaid { amount }
      amountDue { amount }
      lines {
        kind
        description
        amount { amount }
      }
    }`;

const PAYMENT = `payment {
      id
      status
      methodLabel
      failureMessage
    }`;

const PREVIEW = `preview {
      lines { kind description amount { amount } }
      subtotal { amount currency }
      discount { amount }
      tax { amount }
      total { amount currency }
      amountDue { amount currency }
      creditGranted { amount }
      billedAt
    }`;

const money = ({ amount, currency }) => `${currency} ${amount}`;

function subscribeInput(facts) {
  const offer = planToSubscribe(facts);
  return { offer, input: { planId: offer?.plan.id ?? "", interval: "MONTHLY", trial: false } };
}

function subscribeNote({ offer }) {
  if (!offer) return "No plan is on sale in your currency.";
  return `${offer.product.name}, plan ${offer.plan.name}: ${money(offer.plan.price)} a month`;
}

function changeInput(facts) {
  const subscription = subscriptionToChange(facts);
  const target = subscription && planToChangeTo(facts, subscription);
  return {
    subscription,
    target,
    input: {
      subscriptionId: subscription?.id ?? "",
      planId: target?.plan.id ?? "",
      timing: target?.upgrade ? "NOW" : "DEFAULT",
      proration: "PRORATE_NOW",
    },
  };
}

function changeNote({ subscription, target }) {
  if (!subscription) return "Subscribe first.";
  const { product, plan } = subscription;
  return target ? `${product.name}, from plan ${plan.name} to ${target.plan.name}` : `${product.name} has no other plan.`;
}

function meteredNote(facts) {
  const metered = meteredFeature(facts);
  return metered ? `${metered.product.name}, ${metered.feature.name}` : "No plan of yours counts anything.";
}

const nameOf = (subscription) => (subscription ? `${subscription.product.name}, plan ${subscription.plan.name}` : "Subscribe first.");

export const EXAMPLES = [
  {
    query: `# 1. Register a business and its owner. No sign-in needed;
#    this page goes on as the owner it registers.
mutation Register($input: RegisterInput!) {
  register(input: $input) {
    business { id businessName currency timeZone }
    user { id fullName email }
    ${SESSION}
    ${USER_ERRORS}
  }
}`,
    variables() {
      const name = uuid().slice(0, 8);
      return {
        input: {
          businessName: `Amani Traders ${name}`,
          businessEmail: `office-${name}@example.com`,
          industry: "Retail",
          companySize: "SIZE_11_50",
          country: "KE",
          postalCode: "00100",
          fullName: "Amina Otieno",
          email: `amina-${name}@example.com`,
          password: `example-${uuid()}`,
        },
      };
    },
    note: () => "A made-up business; change what you like",
  },
  {
    query: `# 2. Sign in. The bar above does the same; either way
#    this page sends the token with each request from now on.
mutation SignIn($input: SignInInput!) {
  signIn(input: $input) {
    ${SESSION}
    viewer { role user { fullName } business { businessName } }
    ${USER_ERRORS}
  }
}`,
    variables: (_facts, demo) => ({ input: { email: demo?.email ?? "", password: demo?.password ?? "" } }),
    note: (_facts, demo) => (demo ? "The demo user" : "Your e-mail and password"),
  },
  {
    query: `# 3. Who is calling, and for which business?
query Viewer {
  viewer {
    role
    user { id fullName email emailVerified }
    business {
      id
      businessName
      country
      currency
      timeZone
      subscriptionStatus
      balance { amount currency }
    }
    memberships { role businessId businessName }
  }
}`,
  },
  {
    query: `# 4. What is on sale. Prices are in your currency once you are signed in.
query Products {
  products {
    code
    name
    description
    plans {
      id
      code
      name
      price { amount currency }
      yearlyPrice { amount currency }
      trialDays
      maxUsers
      storageLimit
      features { key name kind enabled included unit }
    }
  }
}`,
  },
  {
    query: `# 5. Add a way to pay. A sandbox method needs no card or phone;
#    also: DECLINES, REQUIRES_ACTION, TIMES_OUT, SUCCEEDS_LATE.
mutation AddPaymentMethod($input: AddPaymentMethodInput!) {
  addPaymentMethod(input: $input) {
    paymentMethod { id kind label isDefault }
    ${USER_ERRORS}
  }
}`,
    variables: () => ({ input: { source: { sandbox: "SUCCEEDS" }, makeDefault: true } }),
    note: () => "A method whose payments succeed at once",
  },
  {
    query: `# 6. What would subscribing cost? Nothing is changed.
query PreviewSubscribe($input: SubscribePreviewInput!) {
  subscribePreview(input: $input) {
    ${PREVIEW}
    trialEnd
    previewToken
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: subscribeInput(facts).input }),
    note: (facts) => subscribeNote(subscribeInput(facts)),
  },
  {
    query: `# 7. Subscribe, and pay the first invoice with the default method.
mutation Subscribe($input: SubscribeInput!) {
  subscribe(input: $input) {
    subscription {
      id
      status
      product { code }
      plan { name }
      price { amount currency }
      currentPeriod { start end }
    }
    ${INVOICE}
    ${PAYMENT}
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: { ...subscribeInput(facts).input, autoRenewal: true, idempotencyKey: uuid() } }),
    note: (facts) => subscribeNote(subscribeInput(facts)),
  },
  {
    query: `# 8. The dashboard: profile, subscriptions with their plans,
#    and invoices with their lines, in one request.
query Dashboard {
  profile {
    businessName
    currency
    subscriptionStatus
    balance { amount currency }
  }
  subscriptions(first: 10) {
    nodes {
      id
      status
      product { code name }
      plan {
        name
        maxUsers
        features { key kind enabled included unit }
      }
      interval
      price { amount currency }
      currentPeriod { start end }
      autoRenewal
      cancelAt
    }
  }
  invoices(first: 10) {
    nodes {
      id
      number
      status
      issuedAt
      total { amount currency }
      amountDue { amount }
      lines { kind description amount { amount } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`,
  },
  {
    query: `# 9. What would the change of plan cost? Nothing is changed.
query PreviewChangePlan($input: ChangePlanPreviewInput!) {
  changePlanPreview(input: $input) {
    ${PREVIEW}
    effectiveAt
    previewToken
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: changeInput(facts).input }),
    note: (facts) => changeNote(changeInput(facts)),
  },
  {
    query: `# 10. Change the plan now: unused time is
#     credited, the rest of the period is
#     charged, the difference is paid.
mutation ChangePlan($input: ChangePlanInput!) {
  changePlan(input: $input) {
    subscription {
      id
      status
      product { code }
      plan { name }
      price { amount currency }
      pendingChange { effectiveAt }
    }
    ${INVOICE}
    ${PAYMENT}
    creditNotes { number amount { amount } }
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: { ...changeInput(facts).input, idempotencyKey: uuid() } }),
    note: (facts) => changeNote(changeInput(facts)),
  },
  {
    query: `# 11. A program tells what was used. Each event counts once,
#     however often its "eventId" is sent.
mutation RecordUsage($input: RecordUsageInput!) {
  recordUsage(input: $input) {
    accepted
    duplicates
    rejected { index error { code message } }
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => {
      const metered = meteredFeature(facts);
      const [product, feature] = [metered?.product.code ?? "", metered?.feature.key ?? ""];
      const event = { eventId: uuid(), product, feature, quantity: "25", action: "ADD" };
      return { input: { events: [event], enforceLimits: true } };
    },
    note: (facts) => meteredNote(facts),
  },
  {
    query: `# 12. What was used in this period, day by day, what the plan
#     includes, and what the rest will cost.
query Usage($product: String) {
  usage(product: $product) {
    period { start end }
    metrics {
      feature { key name unit }
      included
      used
      remaining
      overage
      overageCost { amount currency }
      resetsAt
      history(bucket: DAY, last: 7) { start quantity }
    }
  }
}`,
    variables: (facts) => ({ product: meteredFeature(facts)?.product.code ?? null }),
    note: (facts) => meteredNote(facts),
  },
  {
    query: `# 13. Invoices with their taxes, what paid them, and the credit
#     notes that took something back.
query Invoices {
  invoices(first: 5) {
    nodes {
      id
      number
      status
      issuedAt
      lines { kind description amount { amount } }
      subtotal { amount currency }
      taxes { name rate amount { amount } }
      total { amount }
      amountDue { amount }
      payments { status methodLabel settledAt }
      creditNotes { number reason amount { amount } }
      documentUrl
    }
    totalCount
    pageInfo { hasNextPage endCursor }
  }
}`,
  },
  {
    query: `# 14. Pay an invoice that is open (after a payment that failed, say).
mutation PayInvoice($input: PayInvoiceInput!) {
  payInvoice(input: $input) {
    ${INVOICE}
    ${PAYMENT}
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: { invoiceId: facts.invoice?.id ?? "", idempotencyKey: uuid() } }),
    note({ invoice }) {
      if (!invoice) return "There is no invoice yet.";
      return invoice.open ? `Invoice ${invoice.number}` : `No invoice is open; the newest is ${invoice.number ?? "a draft"}`;
    },
  },
  {
    query: `# 15. Cancel. At the period's end access goes on until then;
#     "timing": "NOW" ends it at once.
mutation Cancel($input: CancelInput!) {
  cancel(input: $input) {
    subscription {
      id
      status
      product { code }
      plan { name }
      cancelAt
      canceledAt
      endDate
    }
    ${INVOICE}
    creditNotes { number amount { amount } }
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({
      input: {
        subscriptionId: subscriptionToChange(facts)?.id ?? "",
        timing: "PERIOD_END",
        unusedTime: "NONE",
        reason: "Trying it out",
        idempotencyKey: uuid(),
      },
    }),
    note: (facts) => nameOf(subscriptionToChange(facts)),
  },
  {
    query: `# 16. Think better of it: take a scheduled cancellation back.
mutation Reactivate($input: ReactivateInput!) {
  reactivate(input: $input) {
    subscription {
      id
      status
      product { code }
      plan { name }
      cancelAt
      autoRenewal
    }
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: { subscriptionId: subscriptionToReactivate(facts)?.id ?? "" } }),
    note: (facts) => nameOf(subscriptionToReactivate(facts)),
  },
  {
    query: `# 17. Live: run this, then change something in another window.
#     "Live updates" at the left listens while you run other tabs.
subscription LiveUpdates {
  subscriptionChanged {
    id
    status
    product { code }
    plan { name }
    price { amount currency }
    cancelAt
  }
}`,
  },
];
