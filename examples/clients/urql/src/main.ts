// npm start -- http://127.0.0.1:8080 demo@evolve.test demo-evolve-2027
//
// Signs in, pages through the invoices, changes the plan by one order that is sent twice, takes that back, and reads an object again
// by its id. It stops with exit code 1 at the first thing that is not as it should be.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { clientOf, hasCode, signIn } from './client';
import { graphql } from './gql';
import type { ChangePlanInput } from './gql/graphql';

const Invoices = graphql(`
  query Invoices($first: Int!, $after: String) {
    invoices(first: $first, after: $after) {
      edges { cursor node { id number status total { amount currency minorUnits } } }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
  }
`);

const Offers = graphql(`
  query Offers {
    subscription(product: "erp") { id version plan { id name } }
    plans(product: "erp") { nodes { id name requiresVerification } }
  }
`);

const ChangePlan = graphql(`
  mutation ChangePlan($input: ChangePlanInput!) {
    changePlan(input: $input) {
      subscription { id version pendingChange { plan { id name } effectiveAt } }
      userErrors { code message field }
    }
  }
`);

const CancelPlanChange = graphql(`
  mutation CancelPlanChange($input: CancelPlanChangeInput!) {
    cancelPlanChange(input: $input) {
      subscription { id version pendingChange { effectiveAt } }
      userErrors { code message field }
    }
  }
`);

const Refetch = graphql(`
  query Refetch($id: ID!) {
    node(id: $id) {
      id
      ... on Subscription { version plan { id name } pendingChange { effectiveAt } }
    }
  }
`);

const [url = 'http://127.0.0.1:8080', email = 'demo@evolve.test', password = 'demo-evolve-2027'] = process.argv.slice(2);
const endpoint = `${url}/graphql`;

// A token that is too old, as here, is renewed on the way: the first request below is sent twice.
const session = await signIn(endpoint, email, password);
let renewals = 0;
const client = clientOf(endpoint, { ...session, accessToken: 'too-old' }, () => (renewals += 1));

// All of a list, a page at a time. Amounts are text; whole minor units are summed as BigInt.
let after: string | null = null;
let pages = 0;
let sum = 0n;
const numbers = new Set<string>();
let totalCount: number | null | undefined;
for (;;) {
  const { data, error }: Awaited<ReturnType<typeof page>> = await page(after);
  if (error) throw error;
  const invoices = data?.invoices;
  assert(invoices, 'a list that the caller may see');
  pages += 1;
  for (const { node } of invoices.edges) {
    sum += BigInt(node.total.minorUnits);
    numbers.add(node.id);
  }
  totalCount = invoices.totalCount;
  if (!invoices.pageInfo.hasNextPage) break;
  after = invoices.pageInfo.endCursor ?? null;
}
assert.equal(renewals, 1, 'the token was renewed once');
assert(pages > 1 && numbers.size === totalCount, `${pages} pages, ${numbers.size} of ${totalCount} invoices`);
console.log(`${numbers.size} invoices on ${pages} pages come to ${sum} minor units`);

function page(after: string | null) {
  return client.query(Invoices, { first: 5, after }).toPromise();
}

// An order: one key, made once and sent with each try. Whatever became of the first answer, the plan changes once.
const offers = (await client.query(Offers, {}).toPromise()).data;
const subscription = offers?.subscription;
const plan = offers?.plans?.nodes.find((plan) => plan.id !== subscription?.plan.id && !plan.requiresVerification);
assert(subscription && plan, 'a subscription, and another plan of its product');
const order: ChangePlanInput = { subscriptionId: subscription.id, planId: plan.id, timing: 'PERIOD_END', idempotencyKey: randomUUID() };
const first = await client.mutation(ChangePlan, { input: order }).toPromise();
const again = await client.mutation(ChangePlan, { input: order }).toPromise();
assert.deepEqual(first.data?.changePlan?.userErrors, []);
assert.equal(first.data?.changePlan?.subscription?.pendingChange?.plan.id, plan.id);
assert.equal(again.data?.changePlan?.subscription?.version, first.data?.changePlan?.subscription?.version, 'it was changed once');
assert.deepEqual(again.extensions?.idempotentReplay, [['changePlan']], 'the answer says so, by its path');
console.log(`${subscription.plan.name} becomes ${plan.name} on ${first.data?.changePlan?.subscription?.pendingChange?.effectiveAt}`);

// What the caller can put right is part of the answer, with a code to go by, a field to show it at, and nothing changed.
const refused = await client.mutation(ChangePlan, { input: { ...order, timing: 'NOW' } }).toPromise();
assert.equal(refused.error, undefined);
const [problem] = refused.data?.changePlan?.userErrors ?? [];
assert.equal(problem?.code, 'IDEMPOTENCY_KEY_REUSED');
console.log(`${problem.code}: ${problem.message}`);

const back = await client.mutation(CancelPlanChange, { input: { subscriptionId: subscription.id } }).toPromise();
assert.deepEqual(back.data?.cancelPlanChange?.userErrors, []);

// Any object is read again by its id, past the cache.
const fresh = await client.query(Refetch, { id: subscription.id }, { requestPolicy: 'network-only' }).toPromise();
const node = fresh.data?.node;
assert(node?.__typename === 'Subscription' && node.pendingChange === null && node.plan.id === subscription.plan.id);
console.log(`${node.id} is on ${node.plan.name} still`);

// What the caller may not is an error of the whole request, with a code of a closed list.
const nobody = await clientOf(endpoint, { accessToken: 'x', refreshToken: 'x' }, () => undefined).query(Offers, {}).toPromise();
assert(hasCode(nobody.error, 'UNAUTHENTICATED'));
console.log('done');
