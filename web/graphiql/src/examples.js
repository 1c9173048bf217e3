// The tabs the page opens with: one operation for each step of the main job, in its order.
// `variables` fills them from what is known; `note` says in words what was filled in. `check.mjs` validates both against the schema.

import { planToChangeTo, planToSubscribe, subscriptionToChange, subscriptionToReactivate } from "./facts.js";

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
      lines { kind description quantity amount { amount } }
    }`;

const PAYMENT = `payment { id status methodLabel failureMessage }`;

const PREVIEW = `preview {
      lines { kind description amount { amount } tax { amount } }
      subtotal { amount currency }
      discount { amount }
      tax { amount }
      total { amount currency }
      amountDue { amount currency }
      creditGranted { amount }
      billedAt
    }`;

const money = ({ amount, currency }) => `${currency} ${amount}`;

/** A random (version 4) UUID. `crypto.randomUUID` is there on https and localhost alone. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

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
    input: { subscriptionId: subscription?.id ?? "", planId: target?.plan.id ?? "", timing: target?.upgrade ? "NOW" : "DEFAULT" },
  };
}

function changeNote({ subscription, target }) {
  if (!subscription) return "Subscribe first.";
  const { product, plan } = subscription;
  return target ? `${product.name}, from plan ${plan.name} to ${target.plan.name}` : `${product.name} has no other plan.`;
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
    variables: (facts) => ({ input: { ...subscribeInput(facts).input, idempotencyKey: uuid() } }),
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
      plan { id name maxUsers features { key kind enabled included unit } }
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
      lines { kind description quantity amount { amount } tax { amount } }
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
    query: `# 10. Change the plan now: unused time is credited,
#     the rest of the period charged, the difference paid.
mutation ChangePlan($input: ChangePlanInput!) {
  changePlan(input: $input) {
    subscription {
      id
      status
      product { code }
      plan { name }
      price { amount currency }
      pendingChange { plan { name } effectiveAt }
    }
    ${INVOICE}
    ${PAYMENT}
    creditNotes { number amount { amount currency } }
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: { ...changeInput(facts).input, idempotencyKey: uuid() } }),
    note: (facts) => changeNote(changeInput(facts)),
  },
  {
    query: `# 11. Pay an invoice that is open (after a payment that failed, say).
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
    query: `# 12. Cancel. At the period's end access goes on until then;
#     "timing": "NOW" ends it at once.
mutation Cancel($input: CancelInput!) {
  cancel(input: $input) {
    subscription { id status product { code } plan { name } cancelAt canceledAt endDate }
    ${INVOICE}
    creditNotes { number amount { amount currency } }
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({
      input: {
        subscriptionId: subscriptionToChange(facts)?.id ?? "",
        timing: "PERIOD_END",
        reason: "Trying it out",
        idempotencyKey: uuid(),
      },
    }),
    note: (facts) => nameOf(subscriptionToChange(facts)),
  },
  {
    query: `# 13. Think better of it: take a scheduled cancellation back.
mutation Reactivate($input: ReactivateInput!) {
  reactivate(input: $input) {
    subscription { id status product { code } plan { name } cancelAt autoRenewal }
    ${USER_ERRORS}
  }
}`,
    variables: (facts) => ({ input: { subscriptionId: subscriptionToReactivate(facts)?.id ?? "" } }),
    note: (facts) => nameOf(subscriptionToReactivate(facts)),
  },
];

/** The text for the variables editor: JSON, with a comment that says what was filled in. */
export function variablesText(example, facts, demo) {
  if (!example.variables) return "";
  return `// ${example.note(facts, demo).replace(/\s+/g, " ")}\n${JSON.stringify(example.variables(facts, demo), null, 2)}\n`;
}

/** The same text with a new idempotency key: the next run is a new order, not a repetition. */
export function withFreshKey(text) {
  return text.replace(/("idempotencyKey"\s*:\s*)"[^"]*"/, (_match, head) => `${head}"${uuid()}"`);
}
