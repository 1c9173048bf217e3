// What the examples need to know of the catalogue and of the business that is signed in, so that each runs without editing.
// Pure: everything comes from the answer to `FACTS` or `PUBLIC_FACTS`.

/** Reads an answer's `data`; a field that failed (a role may not read everything) is as if it held nothing. */
export function readFacts(data) {
  const openInvoice = data?.openInvoices?.nodes?.[0];
  const lastInvoice = data?.lastInvoices?.nodes?.[0];
  return {
    products: data?.products ?? [],
    viewer: data?.viewer ?? null,
    subscriptions: data?.subscriptions?.nodes ?? [],
    invoice: openInvoice ? { ...openInvoice, open: true } : lastInvoice ? { ...lastInvoice, open: false } : null,
  };
}

const monthly = (plan) => (plan.price ? BigInt(plan.price.minorUnits) : null);
const priceAt = (plan, interval) => {
  const price = interval === "YEARLY" ? plan.yearlyPrice : plan.price;
  return price ? BigInt(price.minorUnits) : null;
};
const byPrice = (interval) => (a, b) => (priceAt(a, interval) < priceAt(b, interval) ? -1 : 1);

/** The cheapest plan, billed monthly and not free, of the first product that the business does not have yet. */
export function planToSubscribe({ products, subscriptions }) {
  const taken = new Set(subscriptions.map((subscription) => subscription.product.code));
  const offers = products.map((product) => ({
    product,
    plan: product.plans.filter((plan) => !plan.requiresVerification && monthly(plan) > 0n).sort(byPrice("MONTHLY"))[0],
  }));
  const sold = offers.filter((offer) => offer.plan);
  return sold.find((offer) => !taken.has(offer.product.code)) ?? sold[0] ?? null;
}

/** The newest live subscription, one that goes on before one that is to end. */
export function subscriptionToChange({ subscriptions }) {
  return subscriptions.find((subscription) => !subscription.cancelAt) ?? subscriptions[0] ?? null;
}

/** The newest live subscription that is to end, else the newest. */
export function subscriptionToReactivate({ subscriptions }) {
  return subscriptions.find((subscription) => subscription.cancelAt) ?? subscriptions[0] ?? null;
}

/** The next dearer plan of the subscription's product, else the next cheaper one. */
export function planToChangeTo({ products }, subscription) {
  const plans = products.find((product) => product.code === subscription.product.code)?.plans ?? [];
  const { interval } = subscription;
  const others = plans.filter((plan) => plan.id !== subscription.plan.id && !plan.requiresVerification && priceAt(plan, interval) !== null);
  const current = plans.find((plan) => plan.id === subscription.plan.id);
  const floor = current ? priceAt(current, interval) : null;
  const dearer = others.filter((plan) => floor === null || priceAt(plan, interval) > floor).sort(byPrice(interval));
  if (dearer.length > 0) return { plan: dearer[0], upgrade: true };
  const cheaper = others.sort(byPrice(interval)).at(-1);
  return cheaper ? { plan: cheaper, upgrade: false } : null;
}

/** The first feature that is counted by events, of a live subscription's plan. */
export function meteredFeature({ subscriptions }) {
  const metered = subscriptions.map(({ product, plan }) => ({ product, feature: plan.features.find(({ kind, enabled }) => kind === "METERED" && enabled) }));
  return metered.find(({ feature }) => feature) ?? null;
}
