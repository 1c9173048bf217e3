// Checks that every operation of the page, with the variables it is filled with, is valid against the schema of its API.
//   node check.mjs [schema.graphql [schema.staff.graphql]]

import { readFileSync } from "node:fs";
import { buildSchema, getOperationAST, getVariableValues, parse, validate } from "graphql";
import { APIS } from "./src/api.js";
import * as OPERATIONS from "./src/operations.js";
import * as STAFF_OPERATIONS from "./src/staff-operations.js";
import { variablesText, withFreshKey } from "./src/variables.js";

const schemaAt = (path) => buildSchema(readFileSync(path, "utf8"));
const SCHEMAS = {
  business: schemaAt(process.argv[2] ?? new URL("../../schema.graphql", import.meta.url)),
  staff: schemaAt(process.argv[3] ?? new URL("../../schema.staff.graphql", import.meta.url)),
};
const price = (amount) => ({ amount: `${amount}.00`, currency: "KES", minorUnits: `${amount}00` });
const FEATURES = [
  { key: "users", name: "Users", kind: "LIMIT", enabled: true },
  { key: "invoices.sent", name: "Invoices sent", kind: "METERED", enabled: true },
];
const plan = (id, amount) => ({ id, name: id, requiresVerification: false, price: price(amount), yearlyPrice: null, features: FEATURES });
const erp = { code: "erp", name: "ERP", plans: [plan("pln_erp1", 2500), plan("pln_erp2", 7500)] };
const payroll = { code: "payroll", name: "Payroll", plans: [plan("pln_free", 0), plan("pln_pay2", 1800), plan("pln_pay1", 900)] };
const held = { id: "sub_1", interval: "MONTHLY", cancelAt: null, product: erp, plan: erp.plans[0] };
const DATA = {
  business: { products: [erp, payroll], subscriptions: { nodes: [held] }, openInvoices: { nodes: [{ id: "inv_1", number: "A-1" }] } },
  staff: {
    staffViewer: { fullName: "Ann", email: "ann@example.com", role: "ADMIN" },
    businesses: { nodes: [{ id: "biz_1", business: { businessName: "Baraka", currency: "KES" } }] },
    supportTickets: { nodes: [{ id: "tkt_1", number: "T-1", subject: "Help" }] },
  },
};
const DEMO = { email: "demo@example.com", password: "secret" };

const problems = [];
let count = 0;

function check(name, schema, source, variables) {
  count += 1;
  const document = parse(source);
  const operation = getOperationAST(document);
  problems.push(...validate(schema, document).map((error) => `${name}: ${error.message}`));
  if (variables === undefined) return;
  const { errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  problems.push(...(errors ?? []).map((error) => `${name}: ${error.message}`));
}

function expect(name, actual, wanted) {
  count += 1;
  if (actual !== wanted) problems.push(`${name}: ${actual} instead of ${wanted}`);
}

const filled = {};
for (const [which, { examples, topics, readFacts }] of Object.entries(APIS)) {
  const schema = SCHEMAS[which];
  const facts = readFacts(DATA[which]);
  for (const example of examples) {
    const name = getOperationAST(parse(example.query)).name.value;
    const text = variablesText(example, facts, DEMO);
    filled[name] = text && JSON.parse(text.replace(/^\/\/.*\n/, ""));
    // What only the reader knows, like their address at the staff API, is filled with nothing, which no server takes.
    const unknown = which === "staff" && name === "StaffSignIn";
    check(name, schema, example.query, unknown ? undefined : filled[name] || {});
    // A page that knows nothing yet must still fill every tab with what parses.
    const unfilled = JSON.parse(variablesText(example, readFacts(null), null).replace(/^\/\/.*\n/, "") || "{}");
    check(`${name} (nobody signed in)`, schema, example.query, unknown ? undefined : unfilled);
  }
  for (const topic of topics) check(topic.name, schema, topic.query);
}
for (const [name, source] of Object.entries(OPERATIONS)) check(name, SCHEMAS.business, source);
for (const [name, source] of Object.entries(STAFF_OPERATIONS)) check(name, SCHEMAS.staff, source);

// What can be listened for is listened for by the panel, all of it.
const heard = APIS.business.topics.map(({ query }) => parse(query).definitions[0].selectionSet.selections[0].name.value);
expect("the panel listens for everything there is", heard.sort().join(" "), Object.keys(SCHEMAS.business.getSubscriptionType().getFields()).sort().join(" "));
expect("subscribe takes the cheapest plan that costs something, of a product not held yet", filled.Subscribe.input.planId, "pln_pay1");
expect("changePlan takes the next dearer plan of the product held", filled.ChangePlan.input.planId, "pln_erp2");
expect("changePlan upgrades at once", filled.ChangePlan.input.timing, "NOW");
expect("cancel names the subscription held", filled.Cancel.input.subscriptionId, "sub_1");
expect("payInvoice names the open invoice", filled.PayInvoice.input.invoiceId, "inv_1");
expect("usage is recorded for what is metered", filled.RecordUsage.input.events[0].feature, "invoices.sent");
expect("the staff's examples are about the newest business", filled.Business.id, "biz_1");
const { idempotencyKey } = filled.Subscribe.input;
const next = JSON.parse(withFreshKey(JSON.stringify(filled.Subscribe)));
expect("a fresh key is another key", next.input.idempotencyKey === idempotencyKey, false);
expect("a fresh key changes nothing else", JSON.stringify({ ...next.input, idempotencyKey }), JSON.stringify(filled.Subscribe.input));

for (const problem of problems) console.error(problem);
console.log(`${count - problems.length} passed, ${problems.length} failed`);
process.exitCode = problems.length === 0 ? 0 : 1;
