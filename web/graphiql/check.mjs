// Checks that every operation of the page, with the variables it is filled with, is valid against the schema.
//   node check.mjs [schema.graphql]

import { readFileSync } from "node:fs";
import { buildSchema, getOperationAST, getVariableValues, parse, validate } from "graphql";
import { EXAMPLES, variablesText, withFreshKey } from "./src/examples.js";
import { readFacts } from "./src/facts.js";
import * as OPERATIONS from "./src/operations.js";

const path = process.argv[2] ?? new URL("../../schema.graphql", import.meta.url);
const schema = buildSchema(readFileSync(path, "utf8"));
const price = (amount) => ({ amount: `${amount}.00`, currency: "KES", minorUnits: `${amount}00` });
const plan = (id, amount) => ({ id, name: id, requiresVerification: false, price: price(amount), yearlyPrice: null });
const erp = { code: "erp", name: "ERP", plans: [plan("pln_erp1", 2500), plan("pln_erp2", 7500)] };
const payroll = { code: "payroll", name: "Payroll", plans: [plan("pln_free", 0), plan("pln_pay2", 1800), plan("pln_pay1", 900)] };
const held = { id: "sub_1", interval: "MONTHLY", cancelAt: null, product: erp, plan: erp.plans[0] };
const FACTS = readFacts({ products: [erp, payroll], subscriptions: { nodes: [held] }, openInvoices: { nodes: [{ id: "inv_1", number: "A-1" }] } });
const DEMO = { email: "demo@example.com", password: "secret" };

const problems = [];
let count = 0;

function check(name, source, variables) {
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
for (const example of EXAMPLES) {
  const name = getOperationAST(parse(example.query)).name.value;
  const text = variablesText(example, FACTS, DEMO);
  filled[name] = text && JSON.parse(text.replace(/^\/\/.*\n/, ""));
  check(name, example.query, filled[name] || {});
  // A page that knows nothing yet must still fill every tab with what parses.
  check(`${name} (nobody signed in)`, example.query, JSON.parse(variablesText(example, readFacts(null), null).replace(/^\/\/.*\n/, "") || "{}"));
}
for (const [name, source] of Object.entries(OPERATIONS)) check(name, source);

expect("subscribe takes the cheapest plan that costs something, of a product not held yet", filled.Subscribe.input.planId, "pln_pay1");
expect("changePlan takes the next dearer plan of the product held", filled.ChangePlan.input.planId, "pln_erp2");
expect("changePlan upgrades at once", filled.ChangePlan.input.timing, "NOW");
expect("cancel names the subscription held", filled.Cancel.input.subscriptionId, "sub_1");
expect("payInvoice names the open invoice", filled.PayInvoice.input.invoiceId, "inv_1");
const { idempotencyKey } = filled.Subscribe.input;
const next = JSON.parse(withFreshKey(JSON.stringify(filled.Subscribe)));
expect("a fresh key is another key", next.input.idempotencyKey === idempotencyKey, false);
expect("a fresh key changes nothing else", JSON.stringify({ ...next.input, idempotencyKey }), JSON.stringify(filled.Subscribe.input));

for (const problem of problems) console.error(problem);
console.log(`${count - problems.length} passed, ${problems.length} failed`);
process.exitCode = problems.length === 0 ? 0 : 1;
