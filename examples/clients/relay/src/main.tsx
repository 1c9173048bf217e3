// npm run check && npm run build && npm start -- http://127.0.0.1:8080 demo@evolve.test demo-evolve-2027
//
// Against a server that was started with EVOLVE_TRUSTED_DOCUMENTS=examples/clients/relay/persisted.json, and may refuse any other document
// (EVOLVE_ONLY_TRUSTED_DOCUMENTS=true).
//
// Signs in, shows the page of App.tsx in a document without a browser, and uses it as a person would: reads all pages of a list, orders
// a change of plan, has it refused, takes it back, and reads the subscription again by its id. It stops with exit code 1 at the
// first thing that is not as it should be.
import { JSDOM } from 'jsdom';
import assert from 'node:assert/strict';
import { StrictMode, Suspense } from 'react';
import { RelayEnvironmentProvider, commitMutation, graphql } from 'react-relay';

import type { mainSignInMutation, mainSignInMutation$data } from './__generated__/mainSignInMutation.graphql';
import { App } from './App';
import { environmentOf } from './environment';

const [url = 'http://127.0.0.1:8080', email = 'demo@evolve.test', password = 'demo-evolve-2027'] = process.argv.slice(2);
let token: string | null = null;
const environment = environmentOf(url, () => token);

const { signIn } = await new Promise<mainSignInMutation$data>((onCompleted, onError) =>
  commitMutation<mainSignInMutation>(environment, {
    mutation: graphql`
      mutation mainSignInMutation($input: SignInInput!) {
        signIn(input: $input) {
          session {
            accessToken
          }
          userErrors {
            code
            message
          }
        }
      }
    `,
    variables: { input: { email, password } },
    onCompleted,
    onError,
  }),
);
assert.deepEqual(signIn?.userErrors, []);
token = signIn?.session?.accessToken ?? null;

// React finds its document when it is loaded.
const { window } = new JSDOM('<div id="root"></div>');
for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
}
const { createRoot } = await import('react-dom/client');
const root = createRoot(window.document.getElementById('root')!);
root.render(
  <StrictMode>
    <RelayEnvironmentProvider environment={environment}>
      <Suspense fallback={<p>…</p>}>
        <App />
      </Suspense>
    </RelayEnvironmentProvider>
  </StrictMode>,
);

const shown = (selector: string) => window.document.querySelector<HTMLElement>(selector);
const rows = () => window.document.querySelectorAll('li').length;

/** Waits until the page shows it. */
async function until(what: string, holds: () => boolean) {
  for (const began = Date.now(); !holds(); await new Promise((soon) => setTimeout(soon, 20))) {
    assert(Date.now() - began < 30_000, `${what}: ${window.document.body.innerHTML}`);
  }
}

/** Presses a button, and lets the page show that it was pressed. */
async function press(selector: string) {
  shown(selector)!.click();
  await new Promise((soon) => setTimeout(soon));
}

await until('the first page', () => rows() === 5);
const total = Number(shown('ul')!.dataset.total);
while (shown('#more')) {
  const before = rows();
  await press('#more');
  await until('more rows', () => rows() > before && !shown('#more[disabled]'));
}
assert.equal(rows(), total, 'each invoice once');
console.log(`${shown('h1')!.textContent} has ${rows()} invoices, the oldest ${shown('li:last-child')!.textContent}`);

const plan = shown('#plan')!.textContent!;
await press('#change');
await until('the change', () => shown('#plan')!.textContent!.startsWith(`${plan}, then `));
console.log(shown('#plan')!.textContent);
const { version } = shown('#plan')!.dataset;
await press('#change');
await until('the same order again', () => !shown('#change[disabled]'));
assert.equal(shown('#plan')!.dataset.version, version, 'an order that is sent twice is done once');

await press('#wrong');
await until('a refusal', () => shown('[role=alert]') !== null);
assert.equal(shown('[role=alert]')!.textContent, 'IDEMPOTENCY_KEY_REUSED');
console.log(`another order by the same key: ${shown('[role=alert]')!.textContent}`);

await press('#cancel');
await until('the change taken back', () => shown('#plan')!.textContent === plan);
await press('#refetch');
await until('the subscription read again', () => shown('#plan')?.textContent === plan);
console.log('done');
// Relay would keep what was read for some minutes, as for a page that comes back to it.
process.exit(0);
