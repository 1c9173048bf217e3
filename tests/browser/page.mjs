// A GraphiQL page in Chromium, driven as a person drives it: by the tabs, Execute and the result pane.
// Chromium: the path in CHROMIUM, else /usr/bin/chromium.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const WAIT_MS = 20_000;
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"].concat(
  ["--disable-background-networking", "--disable-component-update", "--disable-sync"],
);

/** A browser that has never been anywhere, and what is asked of anybody but the server at `url`. */
export async function openBrowser(url) {
  const { host } = new URL(url);
  const profile = mkdtempSync(join(tmpdir(), "graphiql-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1440, height: 900 },
    colorScheme: "light",
  });
  const foreign = [];
  const complaints = [];
  const allowed = (address) => ["data:", "blob:"].includes(new URL(address).protocol) || new URL(address).host === host;
  await context.route("**/*", (route) => {
    const address = route.request().url();
    if (allowed(address)) return route.continue();
    foreign.push(address);
    return route.abort();
  });
  const watch = (page) => {
    page.setDefaultTimeout(WAIT_MS);
    page.on("websocket", (socket) => allowed(socket.url()) || foreign.push(socket.url()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  };
  context.pages().forEach(watch);
  context.on("page", watch);
  return {
    context,
    /** What the browser asked of anybody but the server. */
    foreign,
    /** What went wrong in its pages. */
    complaints,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** One window with the GraphiQL page in it. */
export class GraphiqlPage {
  constructor(page) {
    this.page = page;
  }

  /** Opens the page and waits until it can be used. */
  async open(address) {
    await this.page.goto(address);
    await this.page.getByRole("region", { name: "Variables" }).waitFor();
    await this.page.waitForFunction(() => globalThis.__MONACO?.editor.getModels().length >= 4);
  }

  /** The whole text of one of the editors (the page itself holds only the lines in view). */
  editorText(name) {
    return this.page.evaluate(
      (suffix) => globalThis.__MONACO?.editor.getModels().find((model) => model.uri.path.endsWith(suffix))?.getValue() ?? "",
      name,
    );
  }

  /** The variables in view, without the comment above them. */
  async variables() {
    return JSON.parse((await this.editorText("variables.json")).replace(/^\/\/.*\n/, "") || "{}");
  }

  status() {
    return this.page.getByRole("banner", { name: "Session" }).getByRole("status");
  }

  async signIn({ email, password }) {
    const form = this.page.getByRole("form", { name: "Sign in" });
    await form.getByLabel("E-mail").fill(email);
    await form.getByLabel("Password").fill(password);
    await form.getByRole("button", { name: "Sign in" }).click();
    await this.status().getByText(`Signed in as ${email}`).waitFor();
  }

  async show(name) {
    await this.page.getByRole("tablist").getByRole("button", { name, exact: true }).click();
    await this.page.getByRole("tabpanel", { name }).waitFor();
  }

  async execute() {
    await this.page.getByRole("button", { name: /^Execute query/ }).click();
  }

  /** Until the result pane holds this. */
  async answers(text) {
    await this.page.waitForFunction((wanted) => {
      const model = globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith("response.json"));
      return model.getValue().includes(wanted);
    }, text);
    return JSON.parse(await this.editorText("response.json"));
  }

  /** What the editors of the tab in view underline as wrong. */
  marked() {
    return this.page.evaluate(() => globalThis.__MONACO.editor.getModelMarkers({}).filter(({ severity }) => severity === 8).map(({ message }) => message));
  }

  /** What is underlined in these tabs as they are filled. In each, variables are made wrong first and seen to be underlined. */
  async faults(names) {
    const put = (text) =>
      this.page.evaluate((value) => globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith("variables.json")).setValue(value), text);
    const faults = [];
    for (const name of names) {
      await this.show(name);
      const filled = await this.editorText("variables.json");
      await put('{ "nonsense": 1 }');
      await this.page.waitForFunction(() => globalThis.__MONACO.editor.getModelMarkers({}).some(({ message }) => message.includes("nonsense")));
      await put(filled);
      await this.page.waitForFunction(() => !globalThis.__MONACO.editor.getModelMarkers({}).some(({ message }) => message.includes("nonsense")));
      // A tab keeps a text half a second after it was put there.
      await this.page.waitForTimeout(700);
      faults.push(...(await this.marked()).map((message) => `${name}: ${message}`));
    }
    return faults;
  }

  /** Opens a tab, runs it as it is filled, and reads the result pane: the payload of `field`. */
  async run(name, field) {
    await this.show(name);
    const sent = await this.variables();
    await this.execute();
    const pane = this.page.getByRole("region", { name: "Result Window" });
    await pane.getByText("data", { exact: false }).first().waitFor();
    const result = await this.answers("{");
    assert.equal(result.errors, undefined, JSON.stringify(result.errors));
    return { payload: result.data[field], sent: sent.input, data: result.data };
  }

  /** Runs a tab whose payload must have no `userErrors`. */
  async done(name, field) {
    const answer = await this.run(name, field);
    assert.deepEqual(answer.payload.userErrors, [], name);
    return answer;
  }

  /** The panel of live updates, which listens while it is open. */
  live() {
    return this.page.getByRole("region", { name: "Live updates" });
  }

  async listen() {
    await this.page.getByRole("button", { name: "Show Live updates" }).click();
    await this.live().getByText("Listening").waitFor();
  }
}

/** Steps of which the next stands on the one before: after one that fails, none is taken. One line is printed for each. */
export class Way {
  passed = 0;
  failed = 0;

  async step(title, work) {
    if (this.failed === 0) await this.#take(title, work);
  }

  /** A step that is taken however the way went. */
  async also(title, work) {
    await this.#take(title, work);
  }

  async #take(title, work) {
    try {
      const note = await work();
      this.passed += 1;
      console.log(`ok    ${title}${note ? `: ${note}` : ""}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL  ${title}: ${error.message}`);
    }
  }

  /** Closes the browser, looks at what it did beside its steps, and says how it went. */
  async end(browser) {
    await browser.close();
    await this.also("no other host was asked for anything", () => assert.deepEqual(browser.foreign, []));
    await this.also("the page had nothing to complain of", () => assert.deepEqual(browser.complaints, []));
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed === 0 ? 0 : 1;
  }
}
