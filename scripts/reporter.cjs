/**
 * Mocha reporter: a dot per test, every skipped test with its reason, the failures, and at last one line with the
 * three counts. CommonJS, because mocha loads reporters with require().
 */
'use strict';

const { reporters, Runner } = require('mocha');
const events = Runner.constants;

/** A test run that has ended but whose process lives on has leaked a handle. */
const EXIT_GRACE = 60_000;

module.exports = class extends reporters.Base {
  static description = 'dots, reasons of skipped tests, and the counts';

  #column = 0;
  #skipped = new Map();

  constructor(runner, options) {
    super(runner, options);
    runner.on(events.EVENT_TEST_PASS, () => this.#mark('.'));
    runner.on(events.EVENT_TEST_FAIL, () => this.#mark('!'));
    runner.on(events.EVENT_TEST_PENDING, (test) => {
      this.#mark(',');
      const reason = reasonOf(test);
      this.#skipped.set(reason, [...(this.#skipped.get(reason) ?? []), test.fullTitle()]);
    });
    runner.once(events.EVENT_RUN_END, () => this.#end());
  }

  #mark(sign) {
    if (this.#column === 0) process.stdout.write('  ');
    process.stdout.write(sign);
    this.#column = (this.#column + 1) % 100;
    if (this.#column === 0) process.stdout.write('\n');
  }

  #end() {
    if (this.#column > 0) process.stdout.write('\n');
    for (const [reason, titles] of this.#skipped) {
      console.log(`\nskipped: ${reason}`);
      for (const title of titles) console.log(`  ${title}`);
    }
    if (this.failures.length > 0) reporters.Base.list(this.failures);
    const { passes, failures, pending } = this.stats;
    console.log(`\n${passes} passed, ${failures} failed, ${pending} skipped`);
    setTimeout(() => {
      console.log(
        `\nThe tests are over but something keeps the process alive: ${process.getActiveResourcesInfo()}`,
      );
      console.log(`${passes} passed, ${failures + 1} failed, ${pending} skipped`);
      // Mocha sets its own code when the process exits; this comes after it.
      process.on('exit', () => (process.exitCode = 1));
      process.exit();
    }, EXIT_GRACE).unref();
  }
};

/** What test/support/needs.ts left on the test or on the suite around it. */
function reasonOf(test) {
  for (let at = test; at; at = at.parent) {
    if (typeof at.skipReason === 'string') return at.skipReason;
  }
  return 'no reason given';
}
