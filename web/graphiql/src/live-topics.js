// What the panel of live updates listens for, and how it says in a line what it heard.
// `check.mjs` validates each query against the schema.

const money = ({ amount, currency }) => `${currency} ${amount}`;

/** `title` and `state` of one message; `state` may be empty. */
export const LIVE_TOPICS = [
  {
    name: "Subscription",
    query: `subscription LiveSubscriptions {
  subscriptionChanged { id status product { name } plan { name } price { amount currency } pendingChange { effectiveAt } cancelAt }
}`,
    read: ({ subscriptionChanged: { product, plan, status, cancelAt } }) => ({ title: `${product.name}, plan ${plan.name}`, state: cancelAt && status === "ACTIVE" ? "ENDING" : status }),
  },
  {
    name: "Invoice",
    query: `subscription LiveInvoices {
  invoiceChanged { id number status total { amount currency } amountDue { amount currency } }
}`,
    read: ({ invoiceChanged: { number, status, total } }) => ({ title: `${number ?? "A draft"}, ${money(total)}`, state: status }),
  },
  {
    name: "Payment",
    query: `subscription LivePayments {
  paymentChanged { id status amount { amount currency } methodLabel failureMessage invoice { number } }
}`,
    read: ({ paymentChanged: { amount, invoice, status } }) => ({ title: `${money(amount)} for ${invoice.number ?? "a draft"}`, state: status }),
  },
  {
    name: "Usage",
    query: `subscription LiveUsage {
  usageThresholdReached { at threshold product { name } usage { used included feature { name } } }
}`,
    read: ({ usageThresholdReached: { product, usage } }) => ({ title: `${product.name}, ${usage.feature.name}: ${usage.used} of ${usage.included ?? "any number"}`, state: "" }),
  },
  {
    name: "Verification",
    query: `subscription LiveVerification {
  verificationChanged { status reason expiresAt }
}`,
    read: ({ verificationChanged: { status, reason } }) => ({ title: reason ?? "The verification of the business", state: status }),
  },
  {
    name: "Support ticket",
    query: `subscription LiveTickets {
  supportTicketChanged { id number status subject }
}`,
    read: ({ supportTicketChanged: { number, subject, status } }) => ({ title: `${number}: ${subject}`, state: status }),
  },
  {
    name: "Notification",
    query: `subscription LiveNotifications {
  notificationAdded { id kind title body }
}`,
    read: ({ notificationAdded: { title } }) => ({ title, state: "" }),
  },
];
