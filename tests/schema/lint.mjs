// Holds one schema to every rule of graphql-eslint, those of Relay included: node lint.mjs schema.graphql
// What is excepted stands below with its reason; an exception that excepts nothing is an error too. (One schema a process: the
// plugin keeps the first that it reads.)
import graphql from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';
import { buildSchema, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = process.argv[2];
const root = fileURLToPath(new URL('../..', import.meta.url));

const rules = {
  ...graphql.configs['flat/schema-recommended'].rules,
  ...graphql.configs['flat/schema-all'].rules,
  ...graphql.configs['flat/schema-relay'].rules,
  // What is said of a field or a value is as much part of the contract as its type. (Arguments and fields of inputs are
  // looked at below: those of the directives that GraphQL itself has are not ours to describe.)
  '@graphql-eslint/require-description': ['error', { types: true, DirectiveDefinition: true, FieldDefinition: true, EnumValueDefinition: true }],
  // Lists that cannot grow past a few are plain lists, and each connection has `nodes` beside its edges.
  '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
  // The printed order is the program's, by byte: `NOT_IN_PLAN` before `NO_SUBSCRIPTION`, and ids where the alphabet has them.
  '@graphql-eslint/alphabetize': 'off',
  // The rule is meant for servers of other kinds: it forbids mutations, and any type with the name Subscription.
  '@graphql-eslint/no-root-type': 'off',
  // A payload has what was changed, and a client reads the rest again by `node`; the whole of `Query` in each would let one
  // mutation read everything, and its cost could not be told beforehand.
  '@graphql-eslint/require-field-of-type-query-in-mutation-result': 'off',
  // What has no identity of its own is a value: parts of a thing, pages, payloads. A list of them is below.
  '@graphql-eslint/strict-id-in-types': ['error', { exceptions: { suffixes: ['Payload', 'Connection', 'Edge'] } }],
};

/** What else is as it is, by rule: what the message names, and why. */
const exceptions = {
  'relay-edge-types': [["Edge type's field `node` must implement `Node`", 'FailedMailEdge: a mail is a line of a log, and nothing is done to one', 'FailedMailEdge {']],
  'no-typename-prefix': [
    ['Field "businessEmail"', 'named so since the first contract; clients have it'],
    ['Field "businessName"', 'named so since the first contract; clients have it'],
  ],
  'strict-id-in-types': [
    'AgedAmount', 'AuthTokens', 'CollectionsReport', 'CreditNoteLine', 'FailedMail', 'FeatureAccess', 'InvoiceLinePreview', 'InvoiceParty', 'InvoicePreview',
    'InvoiceTax', 'Membership', 'MetricUsage', 'Money', 'NotificationPreference', 'Overage', 'OverageTier', 'PageInfo', 'PaymentAction', 'PaymentOption',
    'PendingPlanChange', 'Period', 'PlanFeature', 'PlanPrice', 'PlanPriceVersion', 'Posting', 'RejectedUsage', 'RevenueBucket', 'StatusCount', 'SubscriptionDiscount',
    'SubscriptionOptions', 'UsageBucket', 'UsageReport', 'UsageThreshold', 'UserError', 'Verification', 'VerificationRequirement', 'Viewer',
  ].map((type) => [`type "${type}" `, 'a value, or a part of the thing that it stands in']),
};

const eslint = new ESLint({
  cwd: root,
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ['*.graphql'],
      plugins: { '@graphql-eslint': graphql },
      languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: `${root}/${file}` } } },
      rules,
    },
  ],
});

const [{ messages }] = await eslint.lintFiles([file]);
const excepted = new Set();
const wrong = messages.filter(({ ruleId, message }) => {
  const exception = exceptions[ruleId?.replace('@graphql-eslint/', '')]?.find(([text]) => message.includes(text));
  excepted.add(exception);
  return !exception;
});
const text = readFileSync(`${root}/${file}`, 'utf8');
const types = Object.values(buildSchema(text).getTypeMap()).filter((type) => !type.name.startsWith('__'));
const inputs = types.filter(isInputObjectType);
const fields = types.filter((type) => isObjectType(type) || isInterfaceType(type)).flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })));
const named = [
  ...inputs.flatMap((input) => Object.values(input.getFields()).map((field) => [`${input.name}.${field.name}`, field])),
  ...fields.flatMap(({ type, field }) => field.args.map((argument) => [`${type.name}.${field.name}(${argument.name}:)`, argument])),
];
const bare = named.filter(([, described]) => !described.description).map(([name]) => name);
// An exception is of use where one of the two schemas has it.
const has = ([about, , where = `${about.replace('Field ', '\t').replaceAll('"', '')}${about.startsWith('Field') ? ':' : ''}`]) => text.includes(where);
const unused = Object.values(exceptions).flat().filter((exception) => has(exception) && !excepted.has(exception));
for (const { line, ruleId, message } of wrong) console.error(`${file}:${line} ${ruleId}: ${message}`);
for (const field of bare) console.error(`${file}: ${field} has no description`);
for (const [about] of unused) console.error(`${file}: nothing is excepted any more by ${about}`);
const errors = wrong.length + bare.length + unused.length;
console.log(`${file}: ${Object.values(rules).filter((rule) => rule !== 'off').length} rules, ${messages.length - wrong.length} exceptions, ${errors} errors`);
process.exit(errors === 0 && inputs.length > 0 && named.length > inputs.length ? 0 : 1);
