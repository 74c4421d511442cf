// Mux's Node SDK judges the stand-in. `node sdk.mjs` runs all chapters, `node sdk.mjs uploads` one.

const chapters = [
  'uploads',
  'assets',
  'extras',
  'signing',
  'restrictions',
  'webhooks',
  'errors',
  'usage', // last: it moves the clock by days
];

for (const chapter of process.argv.slice(2).concat(process.argv.length > 2 ? [] : chapters)) {
  console.log(`-- ${chapter}`);
  const { default: judge } = await import(`./sdk/${chapter}.mjs`);
  await judge();
}
