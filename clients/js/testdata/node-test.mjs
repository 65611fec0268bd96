// What erpc.test.mjs takes from node:test, for browsers. When all tests have run
// it tells the server how they went.
const tests = [];
export default function test(name, f) { tests.push([name, f]); }

addEventListener("load", async () => {
  let passed = 0;
  let failed = "";
  for (const [name, f] of tests) {
    try {
      await f();
      passed++;
    } catch (err) {
      failed += `\n${name}: ${err.stack ?? err}`;
    }
  }
  await fetch("/done", { method: "POST", body: `# pass ${passed}${failed}` });
});
