// Runs the GraphQL-over-HTTP audits of `graphql-http` against a server: node run.mjs http://127.0.0.1:8080/graphql
// Prints each failure and a closing line; exits 1 on any failure, recommendations included, and 2 when it could not run.
import { serverAudits } from 'graphql-http';

const url = process.argv[2];
if (!url) {
  console.error('usage: node run.mjs URL');
  process.exit(2);
}

const audits = serverAudits({ url, fetchFn: fetch });
let passed = 0;
for (const audit of audits) {
  let result;
  try {
    result = await audit.fn();
  } catch (error) {
    console.error(`could not run ${audit.id} (${audit.name}): ${error.cause ?? error}`);
    process.exit(2);
  }
  if (result.status === 'ok') {
    passed += 1;
  } else {
    console.log(`${result.status} ${result.id} ${result.name}: ${result.reason}`);
  }
}
console.log(`graphql-over-http: ${passed} of ${audits.length} audits passed`);
process.exit(passed === audits.length && audits.length > 0 ? 0 : 1);
