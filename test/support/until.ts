/** What a busy machine may need for what takes milliseconds elsewhere. */
const SECONDS = 100;
const STEP = 5;

/** Waits for a condition, at most about 100 seconds. `seen` tells what there is instead. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  seen: () => unknown = () => condition.toString(),
): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    if (tries === (SECONDS * 1000) / STEP) throw new Error(`waited in vain: ${String(seen())}`);
    await new Promise((resolve) => setTimeout(resolve, STEP));
  }
}
