import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { broken } from './breaking.mjs';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

// With a release its schemas are copied into `released/`: see "A release" in ARCHITECTURE.md.
for (const file of ['schema.graphql', 'schema.staff.graphql']) {
  test(`${file} breaks no client of the last release`, () => {
    assert.deepEqual(broken(read(`released/${file}`), read(`../../${file}`)), []);
  });
}

const before = `
  type Query { plan(id: ID!, currency: String = "KES"): Plan  old: Int @deprecated(reason: "use plan")  list(by: By, gone: Int @deprecated(reason: "nobody knows")): [Plan!] }
  type Plan { size: Int  name: String!  note: String }
  enum By { NAME PRICE AGE @deprecated(reason: "use NAME") }
  input Order { plan: ID!  note: String }
  type Mutation { order(input: Order!): Plan }
`;
const changed = (...pairs) => broken(before, pairs.reduce((text, [from, to]) => (assert(text.includes(from), from), text.replace(from, to)), before));

test('what breaks a client is found', () => {
  for (const [from, to, found] of [
    ['note: String }\n  enum', '}\n  enum', 'FIELD_REMOVED'],
    ['name: String!', 'title: String!', 'FIELD_REMOVED'],
    ['name: String!', 'name: String', 'FIELD_CHANGED_KIND'],
    ['name: String!', 'name: Int!', 'FIELD_CHANGED_KIND'],
    ['note: String }\n  type', 'note: String!  }\n  type', 'FIELD_CHANGED_KIND'],
    ['note: String }\n  type', 'note: String  until: String! }\n  type', 'REQUIRED_INPUT_FIELD_ADDED'],
    ['by: By,', 'by: By!,', 'ARG_CHANGED_KIND'],
    ['by: By,', 'by: By, first: Int!,', 'REQUIRED_ARG_ADDED'],
    ['by: By,', '', 'ARG_REMOVED'],
    ['NAME PRICE', 'NAME', 'VALUE_REMOVED_FROM_ENUM'],
    ['currency: String = "KES"', 'currency: String = "USD"', 'ARG_DEFAULT_VALUE_CHANGE'],
    ['type Mutation { order(input: Order!): Plan }', '', 'TYPE_REMOVED'],
  ]) {
    const problems = changed([from, to]);
    assert(problems.some((problem) => problem.startsWith(found)), `${to}: ${problems}`);
  }
});

test('what breaks no client may be', () => {
  for (const [from, to] of [
    ['note: String }\n  enum', 'note: String!  more: Int }\n  enum'],
    ['NAME PRICE', 'NAME PRICE COLOUR'],
    ['plan: ID!', 'plan: ID  other: Int = 1'],
    ['by: By,', 'by: By, first: Int,'],
    ['note: String }\n  enum', 'note: String @deprecated(reason: "use name") }\n  enum'],
  ]) {
    assert.deepEqual(changed([from, to]), [], to);
  }
});

test('what was deprecated in the last release may go', () => {
  assert.deepEqual(changed(['old: Int @deprecated(reason: "use plan")', ''], [' AGE @deprecated(reason: "use NAME")', ''], [', gone: Int @deprecated(reason: "nobody knows")', '']), []);
});
