// Takes the demo user through a customer's way on the GraphiQL page.
//   npm ci && node main_job.mjs URL [FOLDER]
// The server at URL must hold fresh demo data. Pictures of the page go into the folder: as it is after the upgrade, in
// light and in dark, or as it is where a step failed.

import assert from "node:assert/strict";
import { join } from "node:path";
import { GraphiqlPage, openBrowser, Way } from "./page.mjs";

const DEMO = { email: "demo@evolve.test", password: "demo-evolve-2027" };
const STEPS = 17;

const [url, folder] = process.argv.slice(2);
if (!url) {
  console.error("usage: node main_job.mjs URL [FOLDER]");
  process.exit(2);
}
const address = new URL("/graphiql", url).href;
const browser = await openBrowser(url);
const page = browser.context.pages()[0] ?? (await browser.context.newPage());
const graphiql = new GraphiqlPage(page);
const way = new Way();
const step = way.step.bind(way);
const [run, done] = [graphiql.run.bind(graphiql), graphiql.done.bind(graphiql)];
const picture = (name) => page.screenshot({ path: join(folder, name) });

const money = ({ amount, currency }) => `${currency ?? ""} ${amount}`.trim();
const minor = ({ amount }) => BigInt(amount.replace(".", ""));
const known = {};

await step("the page opens with a tab for each step", async () => {
  await graphiql.open(address);
  assert.equal(await page.getByRole("tab").count(), STEPS);
  await page.getByText("the answer shows here").waitFor();
});

await step("every operation can be looked up in the page's own documentation", async () => {
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  const docs = page.getByRole("region", { name: "Documentation Explorer" });
  await docs.getByRole("link", { name: "Mutation", exact: true }).click();
  await docs.getByRole("link", { name: "changePlan", exact: true }).click();
  await docs.getByRole("link", { name: "ChangePlanInput", exact: false }).first().waitFor();
  await page.getByRole("button", { name: "Hide Documentation Explorer" }).click();
});

await step("what is on sale can be seen without signing in", async () => {
  const { payload } = await run("Products", "products");
  known.products = payload;
  return payload.map(({ name, plans }) => `${name} (${plans.length})`).join(", ");
});

await step("the demo user signs in", async () => {
  const form = page.getByRole("form", { name: "Sign in" });
  assert.equal(await form.getByLabel("E-mail").inputValue(), DEMO.email);
  await graphiql.signIn(DEMO);
});

await step("the panel listens for live updates while other tabs run", () => graphiql.listen());

await step("the tabs are run as the demo user", async () => {
  const { payload } = await run("Viewer", "viewer");
  assert.equal(payload.user.email, DEMO.email);
  assert.equal(payload.business.currency, "KES");
  return payload.business.businessName;
});

await step("nothing in the tabs is underlined as wrong", async () => {
  const names = ["Register", "SignIn", "AddPaymentMethod", "PreviewSubscribe", "Subscribe", "PreviewChangePlan", "ChangePlan"];
  assert.deepEqual(await graphiql.faults([...names, "RecordUsage", "Usage", "PayInvoice", "Cancel", "Reactivate"]), []);
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
  const before = (await graphiql.variables()).input.idempotencyKey;
  assert.match(before, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const { payload, sent } = await run("Subscribe", "subscribe");
  assert.equal(payload.userErrors[0]?.code, "ALREADY_SUBSCRIBED", "a repetition of the same order would have answered the same subscription");
  assert.notEqual((await graphiql.variables()).input.idempotencyKey, sent.idempotencyKey);
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
  known.upgraded = { subscription, invoice };
  return `${known.plan.name} → ${subscription.plan.name}, ${money(invoice.total)}`;
});

await step("what was done was heard of in the panel, by whoever did it", async () => {
  const live = graphiql.live();
  const heard = (title, state) => live.getByRole("listitem").filter({ hasText: title }).filter({ hasText: state }).first();
  await heard(known.upgraded.invoice.number, "PAID").waitFor();
  await heard(`for ${known.upgraded.invoice.number}`, "SUCCEEDED").waitFor();
  const subscription = heard(known.upgraded.subscription.plan.name, "ACTIVE");
  await subscription.waitFor();
  await subscription.click();
  await subscription.getByText(known.upgraded.subscription.id).waitFor();
  await subscription.locator("summary").click();
  return `${await live.getByRole("listitem").count()} messages`;
});

if (folder && way.failed === 0) await picture("graphiql.png");

/** The colour of the page, and the theme of its editors. */
const colours = () =>
  page.evaluate(() => {
    const editor = document.querySelector(".monaco-editor");
    return { page: getComputedStyle(document.body).backgroundColor, editor: editor.classList.contains("vs-dark") ? "dark" : "light" };
  });
const LIGHT = { page: "rgb(255, 255, 255)", editor: "light" };

await step("the page follows the system into the dark and back", async () => {
  assert.deepEqual(await colours(), LIGHT);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => document.querySelector(".monaco-editor").classList.contains("vs-dark"));
  assert.notEqual((await colours()).page, LIGHT.page);
  if (folder) await picture("graphiql-dark.png");
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForFunction(() => !document.querySelector(".monaco-editor").classList.contains("vs-dark"));
  assert.deepEqual(await colours(), LIGHT);
});

await step("a theme that was chosen holds against the system's", async () => {
  const theme = page.getByRole("group", { name: "Theme" });
  await theme.getByRole("button", { name: "Dark" }).click();
  const dark = await colours();
  assert.equal(dark.editor, "dark");
  assert.notEqual(dark.page, LIGHT.page);
  await theme.getByRole("button", { name: "Light" }).click();
  await page.emulateMedia({ colorScheme: "dark" });
  assert.deepEqual(await colours(), LIGHT);
  await page.emulateMedia({ colorScheme: "light" });
  await theme.getByRole("button", { name: "As the system" }).click();
});

await step("usage is recorded, and counted once", async () => {
  const { payload } = await done("RecordUsage", "recordUsage");
  assert.equal(payload.accepted, 1);
  const { data } = await run("Usage", "usage");
  const counted = data.usage.metrics.filter(({ used }) => used === "25");
  assert.equal(counted.length, 1, JSON.stringify(data.usage.metrics));
  return `${counted[0].used} ${counted[0].feature.unit ?? counted[0].feature.name}`;
});

await step("the invoices show what paid them, and their tax", async () => {
  const { payload } = await run("Invoices", "invoices");
  const invoice = payload.nodes.find(({ number }) => number === known.upgraded.invoice.number);
  assert.equal(invoice.payments[0].status, "SUCCEEDED");
  const taxes = invoice.taxes.map(({ amount }) => minor(amount)).reduce((sum, tax) => sum + tax, 0n);
  assert.equal(minor(invoice.subtotal) + taxes, minor(invoice.total));
});

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
  await graphiql.status().getByText(`Signed in as ${payload.user.email}`).waitFor();
  const { payload: viewer } = await run("Viewer", "viewer");
  assert.equal(viewer.business.id, payload.business.id);
});

await step("the tab that signs in signs the page in", async () => {
  const { payload } = await done("SignIn", "signIn");
  assert.equal(payload.viewer.role, "OWNER");
  await graphiql.status().getByText(`Signed in as ${DEMO.email}`).waitFor();
});

await step("a tab hears of what another window does", async () => {
  await graphiql.show("LiveUpdates");
  await graphiql.execute();
  await page.getByRole("button", { name: /^Stop query/ }).waitFor();
  const other = new GraphiqlPage(await browser.context.newPage());
  await other.open(address);
  await other.signIn(DEMO);
  // Nothing says when a tab has begun to listen: the other window goes back and forth until it is heard.
  const heard = () => graphiql.editorText("response.json").then((text) => text.includes("subscriptionChanged"));
  for (let tries = 0; tries < 10 && !(await heard()); tries += 1) {
    await other.done(tries % 2 === 0 ? "Reactivate" : "Cancel", tries % 2 === 0 ? "reactivate" : "cancel");
    await page.waitForTimeout(500);
  }
  const { data } = await graphiql.answers("subscriptionChanged");
  assert.equal(data.subscriptionChanged.id, known.subscription.id);
  await page.getByRole("button", { name: /^Stop query/ }).click();
});

if (folder && way.failed > 0) await picture("failed.png");
await way.end(browser);
