// What erpc.test.mjs takes from node:assert/strict, for browsers.
function fail(what, got, want) { throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`); }

export default {
  equal(got, want) { if (!Object.is(got, want)) fail("equal", got, want); },
  deepEqual(got, want) { if (JSON.stringify(got) !== JSON.stringify(want)) fail("deepEqual", got, want); },
  async rejects(promise, check) {
    let got;
    try {
      got = await promise;
    } catch (err) {
      if (!check(err)) throw err;
      return;
    }
    fail("rejects", got, "an error");
  },
};
