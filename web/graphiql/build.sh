#!/bin/sh
# Builds the GraphiQL page that the server embeds, from the lock file.
#   build.sh          writes dist/
#   build.sh --check  builds in a temporary folder and fails when dist/ differs, or when an
#                     example does not fit its schema, or when the page's own tests fail
# Needs Node 20 or newer, npm and GNU gzip. `cargo build` needs none of them: dist/ is committed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

cp -R "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$here/build.mjs" "$here/check.mjs" "$here/src" "$here/test" "$work/"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
node build.mjs "$work/dist"

case "${1:-}" in
  --check)
    diff -r "$work/dist" "$here/dist" || { echo "web/graphiql/dist is not what the sources build: run web/graphiql/build.sh" >&2; exit 1; }
    echo "web/graphiql/dist is what the sources build"
    node check.mjs "$root/schema.graphql" "$root/schema.staff.graphql"
    node --test --test-reporter=dot test/*.test.mjs
    ;;
  "")
    rm -rf "$here/dist"
    cp -R "$work/dist" "$here/dist"
    du -sh "$here/dist"
    ;;
  *)
    echo "usage: build.sh [--check]" >&2
    exit 2
    ;;
esac
