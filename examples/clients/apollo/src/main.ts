// npm start -- http://127.0.0.1:8080
//
// Registers a business and sends the documents for its verification in one request, by the multipart request specification. Queries are
// sent by GET with the hash of their document alone ("automatic persisted queries"). It stops with exit code 1 at the first thing that is
// not as it should be.
import { ApolloClient, ApolloLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';

import { graphql } from './gql';

const Register = graphql(`
  mutation Register($input: RegisterInput!) {
    register(input: $input) {
      business { id businessName }
      session { accessToken }
      userErrors { code message field }
    }
  }
`);

const SubmitVerification = graphql(`
  mutation SubmitVerification($input: SubmitVerificationInput!) {
    submitVerification(input: $input) {
      verification { status documents { id kind fileName byteSize sha256 status } }
      userErrors { code message field }
    }
  }
`);

const ReadDocument = graphql(`
  query ReadDocument($id: ID!) {
    node(id: $id) {
      id
      ... on VerificationDocument { fileName status }
    }
  }
`);

const [url = 'http://127.0.0.1:8080'] = process.argv.slice(2);
let token: string | null = null;

/** What was sent: each request's method, and whether a document was in it. */
const sent: string[] = [];
const http = new UploadHttpLink({
  uri: `${url}/graphql`,
  // No form of another site sends it, so that a page cannot upload in somebody's name. Without it the answer is 400.
  headers: { 'GraphQL-Require-Preflight': '1' },
  fetch: (input, init) => {
    const body = typeof init?.body === 'string' ? init.body : '';
    sent.push(`${init?.method} ${body.includes('"query"') || `${input}`.includes('query=') ? 'a document' : 'a hash'}`);
    return fetch(input, init);
  },
});
const persisted = new PersistedQueryLink({
  sha256: (document: string) => createHash('sha256').update(document).digest('hex'),
  useGETForHashedQueries: true,
});
const client = new ApolloClient({
  cache: new InMemoryCache({ possibleTypes: { Node: ['VerificationDocument'] } }),
  link: new SetContextLink((context) => (token ? { headers: { ...context.headers, authorization: `Bearer ${token}` } } : {}))
    // Mutations bring their documents: a form with files is not sent twice.
    .concat(ApolloLink.split((operation) => operation.operationType === 'query', persisted.concat(http), http)),
});

const name = randomUUID();
const registered = await client.mutate({
  mutation: Register,
  variables: {
    input: {
      businessName: `Amani Traders ${name}`,
      businessEmail: `office-${name}@example.com`,
      industry: 'Retail',
      companySize: 'SIZE_11_50',
      country: 'KE',
      postalCode: '00100',
      fullName: 'Amina Otieno',
      email: `amina-${name}@example.com`,
      password: `example-${randomUUID()}`,
    },
  },
});
assert.deepEqual(registered.data?.register?.userErrors, []);
token = registered.data?.register?.session?.accessToken ?? null;
assert(token, 'whoever registers is signed in');

// Each is what an <input type="file"> gives; one that stands in two places is sent once. What a file is, is told by its bytes: its name and its type must say the same.
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const picture = new File([png], 'director.png', { type: 'image/png' });
const page = new File(['%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n'], 'certificate.pdf', { type: 'application/pdf' });
const submitted = await client.mutate({
  mutation: SubmitVerification,
  variables: {
    input: {
      registrationNumber: 'PVT-7Y8X9Z',
      documents: [
        { kind: 'DIRECTOR_ID', file: picture },
        { kind: 'CERTIFICATE_OF_INCORPORATION', file: page },
        { kind: 'TAX_CERTIFICATE', file: page },
      ],
    },
  },
});
const payload = submitted.data?.submitVerification;
assert.deepEqual(payload?.userErrors, []);
const documents = payload?.verification?.documents ?? [];
for (const { kind, fileName, byteSize, status } of documents) console.log(`${kind}: ${fileName}, ${byteSize} bytes, ${status}`);
const first = documents.find((document) => document.kind === 'DIRECTOR_ID');
assert(documents.length === 3 && first, 'all have arrived');
assert.equal(first.sha256, createHash('sha256').update(png).digest('hex'), 'and are what was sent');

// A document is read again by its id: by its hash, which the server does not know until it has come with the document once.
const again = () => client.query({ query: ReadDocument, variables: { id: first.id }, fetchPolicy: 'network-only' });
for (const expected of [null, ['GET a hash']]) {
  sent.length = 0;
  const { data } = await again();
  assert(data?.node?.__typename === 'VerificationDocument' && data.node.fileName === 'director.png');
  console.log(`asked by ${sent.join(', then ')}`);
  // The server may know it from another run.
  assert.deepEqual(sent, expected ?? (sent.length === 1 ? ['GET a hash'] : ['GET a hash', 'POST a document']));
}

// What is no document is refused with the place it stands at, and nothing is taken.
const text = new File(['only words'], 'words.pdf', { type: 'application/pdf' });
const refused = await client.mutate({
  mutation: SubmitVerification,
  variables: { input: { registrationNumber: 'PVT-7Y8X9Z', documents: [{ kind: 'DIRECTOR_ID', file: text }] } },
});
const [problem] = refused.data?.submitVerification?.userErrors ?? [];
assert.equal(problem?.code, 'UNSUPPORTED_FILE');
assert.deepEqual(problem.field, ['input', 'documents', '0', 'file']);
console.log(`${problem.code}: ${problem.message}`);

// Without the header the server takes no form at all.
const bare = new ApolloClient({ cache: new InMemoryCache(), link: new UploadHttpLink({ uri: `${url}/graphql` }) });
const form = bare.mutate({ mutation: SubmitVerification, variables: { input: { registrationNumber: 'X', documents: [{ kind: 'DIRECTOR_ID', file: picture }] } } });
await assert.rejects(form, /GraphQL-Require-Preflight/);
console.log('done');
