// Takes the demo user through a customer's way on the GraphiQL page, as a person would: by the tabs, Execute and the result pane.
//   npm ci && node main_job.mjs URL [screenshot.png]
// The server at URL must hold fresh demo data. Chromium: the path in CHROMIUM, else /usr/bin/chromium.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const DEMO = { email: "demo@evolve.test", password: "demo-evolve-2027" };
const WAIT_MS = 20_000;
const STEPS = 13;
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"].concat(
  ["--disable-background-networking", "--disable-component-update", "--disable-sync"],
);

const [url, screenshot] = process.argv.slice(2);
if (!url) {
  console.error("usage: node main_job.mjs URL [screenshot.png]");
  process.exit(2);
}
const host = new URL(url).host;
const profile = mkdtempSync(join(tmpdir(), "main-job-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: FLAGS,
  viewport: { width: 1440, height: 900 },
});

/** What the browser asked of anybody but the server, and what went wrong in the page. */
const foreign = [];
const complaints = [];
const allowed = (address) => ["data:", "blob:"].includes(new URL(address).protocol) || new URL(address).host === host;
await context.route("**/*", (route) => {
  const address = route.request().url();
  if (allowed(address)) return route.continue();
  foreign.push(address);
  return route.abort();
});
const page = context.pages()[0] ?? (await context.newPage());
page.setDefaultTimeout(WAIT_MS);
page.on("websocket", (socket) => allowed(socket.url()) || foreign.push(socket.url()));
page.on("pageerror", (error) => complaints.push(error.message));
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));

/** The whole text of one of the editors (the page itself holds only the lines in view). */
const editorText = (name) =>
  page.evaluate((suffix) => globalThis.__MONACO?.editor.getModels().find((model) => model.uri.path.endsWith(suffix))?.getValue() ?? "", name);
const status = () => page.getByRole("banner", { name: "Session" }).getByRole("status");
const tab = (name) => page.getByRole("tablist").getByRole("button", { name, exact: true });

/** The variables in view, without the comment above them. */
async function variables() {
  return JSON.parse((await editorText("variables.json")).replace(/^\/\/.*\n/, "") || "{}");
}

/** Opens a tab, runs it as it is filled, and reads the result pane: the payload of `field`. */
async function run(name, field) {
  await tab(name).click();
  await page.getByRole("tabpanel", { name }).waitFor();
  const sent = await variables();
  await page.getByRole("button", { name: /^Execute query/ }).click();
  await page.waitForFunction(() => {
    const model = globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith("response.json"));
    return model.getValue() !== "";
  });
  const pane = page.getByRole("region", { name: "Result Window" });
  await pane.getByText("data", { exact: false }).first().waitFor();
  const result = JSON.parse(await editorText("response.json"));
  assert.equal(result.errors, undefined, JSON.stringify(result.errors));
  const payload = result.data[field];
  return { payload, sent: sent.input, data: result.data };
}

/** Runs a tab whose payload must have no `userErrors`. */
async function done(name, field) {
  const answer = await run(name, field);
  assert.deepEqual(answer.payload.userErrors, [], name);
  return answer;
}

let passed = 0;
let failed = 0;

/** One line for each step; a step that fails ends the way, since the next would stand on it. */
async function step(title, work) {
  if (failed > 0) return;
  try {
    const note = await work();
    passed += 1;
    console.log(`ok    ${title}${note ? `: ${note}` : ""}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${title}: ${error.message}`);
  }
}

const money = ({ amount, currency }) => `${currency ?? ""} ${amount}`.trim();
const minor = ({ amount }) => BigInt(amount.replace(".", ""));
const known = {};

await step("the page opens with a tab for each step", async () => {
  await page.goto(new URL("/graphiql", url).href);
  await page.getByRole("region", { name: "Variables" }).waitFor();
  await page.waitForFunction(() => globalThis.__MONACO?.editor.getModels().length >= 4);
  assert.equal(await page.getByRole("tab").count(), STEPS);
});

await step("what is on sale can be seen without signing in", async () => {
  const { payload } = await run("Products", "products");
  known.products = payload;
  return payload.map(({ name, plans }) => `${name} (${plans.length})`).join(", ");
});

await step("the demo user signs in", async () => {
  const form = page.getByRole("form", { name: "Sign in" });
  assert.equal(await form.getByLabel("E-mail").inputValue(), DEMO.email);
  await form.getByLabel("Password").fill(DEMO.password);
  await form.getByRole("button", { name: "Sign in" }).click();
  await status().getByText(`Signed in as ${DEMO.email}`).waitFor();
});

await step("the tabs are run as the demo user", async () => {
  const { payload } = await run("Viewer", "viewer");
  assert.equal(payload.user.email, DEMO.email);
  assert.equal(payload.business.currency, "KES");
  return payload.business.businessName;
});

await step("a payment method is added", async () => {
  const { payload } = await done("AddPaymentMethod", "addPaymentMethod");
  assert.equal(payload.paymentMethod.isDefault, true);
  return payload.paymentMethod.label;
});

await step("subscribing is previewed", async () => {
  const { payload, sent } = await done("PreviewSubscribe", "subscribePreview");
  known.plan = known.products.flatMap(({ plans }) => plans).find(({ id }) => id === sent.planId);
  known.total = payload.preview.total;
  assert.ok(minor(known.total) > 0n, "something is to be paid");
  return `${known.plan.name} for ${money(known.total)}`;
});

await step("subscribing pays the first invoice", async () => {
  const { payload, sent } = await done("Subscribe", "subscribe");
  const { subscription, invoice, payment } = payload;
  assert.equal(sent.trial, false);
  assert.notEqual(subscription.product.code, "erp", "the demo business has ERP already");
  assert.equal(subscription.status, "ACTIVE");
  assert.equal(subscription.plan.name, known.plan.name);
  assert.equal(invoice.status, "PAID");
  assert.equal(minor(invoice.amountDue), 0n);
  assert.deepEqual(invoice.total, known.total, "the invoice is what the preview said");
  assert.equal(payment.status, "SUCCEEDED");
  known.subscription = subscription;
  known.invoice = invoice;
  return `${subscription.product.code}, ${invoice.number}, ${money(invoice.total)}`;
});

await step("each run has an idempotency key of its own", async () => {
  const before = (await variables()).input.idempotencyKey;
  assert.match(before, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const { payload, sent } = await run("Subscribe", "subscribe");
  assert.equal(payload.userErrors[0]?.code, "ALREADY_SUBSCRIBED", "a repetition of the same order would have answered the same subscription");
  assert.notEqual((await variables()).input.idempotencyKey, sent.idempotencyKey);
});

await step("the dashboard shows the subscription and the paid invoice with its lines", async () => {
  const { data } = await run("Dashboard", "profile");
  const subscription = data.subscriptions.nodes.find(({ id }) => id === known.subscription.id);
  const invoice = data.invoices.nodes.find(({ id }) => id === known.invoice.id);
  assert.equal(subscription.status, "ACTIVE");
  assert.equal(subscription.plan.name, known.plan.name);
  assert.equal(invoice.status, "PAID");
  assert.ok(invoice.lines.some(({ kind }) => kind === "RECURRING"));
  return `${data.subscriptions.nodes.length} subscriptions, ${data.invoices.nodes.length} invoices`;
});

await step("the upgrade is previewed", async () => {
  const { payload, sent } = await done("PreviewChangePlan", "changePlanPreview");
  assert.equal(sent.subscriptionId, known.subscription.id);
  return `${money(payload.preview.total)} now`;
});

await step("the upgrade takes effect at once and is paid", async () => {
  const { payload, sent } = await done("ChangePlan", "changePlan");
  const { subscription, invoice, payment } = payload;
  assert.equal(sent.subscriptionId, known.subscription.id);
  assert.equal(subscription.pendingChange, null);
  assert.notEqual(subscription.plan.name, known.plan.name);
  assert.ok(minor(subscription.price) > minor(known.subscription.price), "the new plan is dearer");
  assert.equal(invoice.status, "PAID");
  assert.equal(payment.status, "SUCCEEDED");
  const kinds = invoice.lines.map(({ kind }) => kind);
  assert.ok(kinds.includes("PRORATION_CREDIT") && kinds.includes("PRORATION_CHARGE"), kinds.join(", "));
  return `${known.plan.name} → ${subscription.plan.name}, ${money(invoice.total)}`;
});

if (screenshot && failed === 0) await page.screenshot({ path: screenshot });

await step("a paid invoice cannot be paid again", async () => {
  const { payload } = await run("PayInvoice", "payInvoice");
  assert.equal(payload.payment, null);
  assert.equal(payload.userErrors.length, 1);
  return payload.userErrors[0].code;
});

const cancel = async () => {
  const { payload, sent } = await done("Cancel", "cancel");
  const { subscription } = payload;
  assert.equal(sent.subscriptionId, known.subscription.id);
  assert.equal(subscription.status, "ACTIVE", "access goes on until the period's end");
  assert.equal(subscription.cancelAt, subscription.endDate);
  return subscription.cancelAt;
};
await step("cancelling is scheduled for the period's end", cancel);

await step("the cancellation is taken back", async () => {
  const { payload } = await done("Reactivate", "reactivate");
  assert.equal(payload.subscription.id, known.subscription.id);
  assert.equal(payload.subscription.cancelAt, null);
});

await step("cancelling again is a new order", cancel);

await step("signing out ends it", async () => {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("form", { name: "Sign in" }).waitFor();
  const { payload } = await run("Viewer", "viewer");
  assert.equal(payload, null);
});

await step("a new business registers, and the page goes on as its owner", async () => {
  const { payload, sent } = await done("Register", "register");
  assert.equal(payload.business.businessName, sent.businessName);
  await status().getByText(`Signed in as ${payload.user.email}`).waitFor();
  const { payload: viewer } = await run("Viewer", "viewer");
  assert.equal(viewer.business.id, payload.business.id);
});

await step("the tab that signs in signs the page in", async () => {
  const { payload } = await done("SignIn", "signIn");
  assert.equal(payload.viewer.role, "OWNER");
  await status().getByText(`Signed in as ${DEMO.email}`).waitFor();
});

/** Asks the API beside the page. */
async function ask(query, variables, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(new URL("/graphql", url), { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return (await answer.json()).data;
}

await step("a live update shows on the page", async () => {
  await tab("Viewer").click();
  await page.getByRole("tabpanel", { name: "Viewer" }).waitFor();
  await page.evaluate(() => {
    const model = globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith("operation.graphql"));
    model.setValue("subscription Heard { supportTicketChanged { subject } }");
  });
  // The page reads what is in the editor a moment after it changed.
  await page.waitForTimeout(1_000);
  await page.getByRole("button", { name: /^Execute query/ }).click();
  await page.getByRole("button", { name: /^Stop query/ }).waitFor();
  const { signIn } = await ask("mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken } } }", { input: DEMO });
  const opens = "mutation($input: OpenSupportTicketInput!) { openSupportTicket(input: $input) { userErrors { code } } }";
  const heard = () => editorText("response.json").then((text) => text.includes("Seen at once"));
  // Nothing says when the page has begun to listen.
  for (let tries = 0; tries < 10 && !(await heard()); tries += 1) {
    await ask(opens, { input: { subject: "Seen at once", body: "?" } }, signIn.session.accessToken);
    await page.waitForTimeout(1_000);
  }
  assert.ok(await heard(), await editorText("response.json"));
  await page.getByRole("button", { name: /^Stop query/ }).click();
});

if (screenshot && failed > 0) await page.screenshot({ path: screenshot });
await context.close();
rmSync(profile, { recursive: true, force: true });

// These two are looked at however the way ended.
for (const [title, found] of [
  ["no other host was asked for anything", foreign],
  ["the page had nothing to complain of", complaints],
]) {
  const before = failed;
  failed = 0;
  await step(title, () => assert.deepEqual(found, []));
  failed += before;
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
