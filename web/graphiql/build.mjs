// Bundles the page into the folder given: hashed names, gzipped, the same bytes from the same lock file on every machine.
// Called by build.sh.

import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const out = process.argv[2];
const root = import.meta.dirname;

const COMMON = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  outdir: "out",
  target: ["es2022"],
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".ttf": "dataurl" },
  logLevel: "warning",
};

const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
};

const TYPES = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", txt: "text/plain; charset=utf-8" };

const assets = [];
const bundled = new Set();

/** Writes one file, gzipped; returns its public name. */
function emit(name, extension, contents) {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 16);
  const file = `${name}-${hash}.${extension}`;
  // GNU gzip, not Node's zlib: its output has not changed in decades. -n: no name, no time.
  writeFileSync(join(out, `${file}.gz`), execFileSync("gzip", ["-n", "-9", "-c"], { input: contents, maxBuffer: 1 << 26 }));
  assets.push({ file, type: TYPES[extension] });
  return file;
}

async function bundle(options) {
  const result = await build({ ...COMMON, ...options });
  for (const input of Object.keys(result.metafile.inputs)) bundled.add(input);
  return result.outputFiles;
}

/** The licence text of each package that is in the bundle. */
function licenses() {
  const packages = new Set();
  for (const input of bundled) {
    const folder = input.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1];
    if (folder) packages.add(folder);
  }
  const texts = [...packages].sort().map((folder) => {
    const path = join(root, folder);
    const about = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    const files = existsSync(path) ? readdirSync(path).filter((file) => /^(licen[cs]e|notice|thirdpartynotices)/i.test(file)).sort() : [];
    const text = files.map((file) => readFileSync(join(path, file), "utf8").trim()).join("\n\n");
    return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const workers = {};
for (const [name, entry] of Object.entries(WORKERS)) {
  const [script] = await bundle({ entryPoints: { [name]: entry }, format: "iife" });
  workers[name] = emit(`${name}-worker`, "js", script.contents);
}

const files = await bundle({
  entryPoints: { app: "src/main.jsx" },
  format: "esm",
  jsx: "automatic",
  // GraphiQL names its icons for screen readers after their functions.
  keepNames: true,
  define: { ...COMMON.define, WORKERS: JSON.stringify(workers) },
});
const named = Object.fromEntries(files.map((file) => [basename(file.path), file.contents]));
const names = {
  SCRIPT: emit("app", "js", named["app.js"]),
  STYLE: emit("app", "css", named["app.css"]),
  LICENSES: emit("licenses", "txt", Buffer.from(licenses())),
};

const page = readFileSync(join(root, "src/index.html"), "utf8");
writeFileSync(join(out, "index.html"), page.replace(/%(SCRIPT|STYLE|LICENSES)%/g, (_match, name) => names[name]));

const entries = assets
  .sort((a, b) => (a.file < b.file ? -1 : 1))
  .map(({ file, type }) => `    Asset { name: "${file}", content_type: "${type}", gzip: include_bytes!("${file}.gz") },\n`);
writeFileSync(join(out, "assets.rs"), `// Written by web/graphiql/build.mjs.\n&[\n${entries.join("")}]\n`);
