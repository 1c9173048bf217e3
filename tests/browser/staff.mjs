// A member of staff runs every tab of the staff API's GraphiQL page.
//   npm ci && node staff.mjs URL EMAIL PASSWORD

import assert from "node:assert/strict";
import { GraphiqlPage, openBrowser, Way } from "./page.mjs";

const TABS = ["StaffSignIn", "Viewer", "Businesses", "Business", "Plans", "Collections", "Revenue", "Ledger"].concat(
  ["SupportTickets", "ReplyToTicket", "CreateCoupon", "AuditEvents"],
);

const [url, email, password] = process.argv.slice(2);
if (!password) {
  console.error("usage: node staff.mjs URL EMAIL PASSWORD");
  process.exit(2);
}
const browser = await openBrowser(url);
const page = browser.context.pages()[0] ?? (await browser.context.newPage());
const graphiql = new GraphiqlPage(page);
const way = new Way();

// As a server in production answers whoever has not signed in and asks for the schema.
await page.route("**/staff/graphql", async (route) => {
  const request = route.request();
  if (request.postData()?.includes("IntrospectionQuery") && !(await request.headerValue("authorization"))) {
    return route.fulfill({ json: { errors: [{ message: "Sign in to read the schema." }] } });
  }
  return route.fallback();
});

await way.step("the page opens with the staff's tabs and nobody to sign in as", async () => {
  await graphiql.open(new URL("/staff/graphiql", url).href);
  const buttons = page.getByRole("tab").getByRole("button").filter({ hasNotText: "close" });
  assert.deepEqual(await buttons.allTextContents(), TABS);
  assert.equal(await page.getByRole("form", { name: "Sign in" }).getByLabel("E-mail").inputValue(), "");
});

await way.step("there is nothing to listen for", async () => {
  assert.equal(await page.getByRole("button", { name: "Show Live updates" }).count(), 0);
});

await way.step("the documentation says why it is empty", async () => {
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  await page.getByText("Error fetching schema").waitFor();
});

await way.step("a member of staff signs in", () => graphiql.signIn({ email, password }));

await way.step("the schema is there once they have", async () => {
  const docs = page.getByRole("region", { name: "Documentation Explorer" });
  await docs.getByRole("link", { name: "StaffBusiness", exact: true }).waitFor();
  await page.getByRole("button", { name: "Hide Documentation Explorer" }).click();
});

await way.step("nothing in the tabs is underlined as wrong", async () => {
  assert.deepEqual(await graphiql.faults(["Businesses", "Business", "Collections", "Revenue", "Ledger", "ReplyToTicket", "CreateCoupon"]), []);
});

await way.step("the newest business is shown with what it pays", async () => {
  const { payload } = await graphiql.run("Business", "business");
  assert.equal(payload.business.businessName, "Baraka Traders");
  assert.ok(payload.subscriptions.nodes.some(({ status }) => status === "ACTIVE"));
  assert.ok(payload.invoices.nodes.some(({ status }) => status === "PAID"));
});

for (const [name, field] of [
  ["Viewer", "staffViewer"],
  ["Businesses", "businesses"],
  ["Plans", "plans"],
  ["Collections", "collections"],
  ["Revenue", "revenue"],
  ["Ledger", "ledger"],
  ["SupportTickets", "supportTickets"],
  ["AuditEvents", "auditEvents"],
]) {
  await way.step(`the tab ${name} is answered`, async () => {
    const { payload } = await graphiql.run(name, field);
    assert.ok(payload, "there is an answer");
    const list = Array.isArray(payload) ? payload : payload.nodes;
    if (list && name !== "SupportTickets" && name !== "AuditEvents") assert.ok(list.length > 0, "something is in it");
  });
}

await way.step("a coupon is made", async () => {
  const { payload, sent } = await graphiql.done("CreateCoupon", "createCoupon");
  assert.equal(payload.coupon.code, sent.code);
});

await way.step("signing out ends it", async () => {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("form", { name: "Sign in" }).waitFor();
  const { payload } = await graphiql.run("Viewer", "staffViewer");
  assert.equal(payload, null);
});

await way.end(browser);
