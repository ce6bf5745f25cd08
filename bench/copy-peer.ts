/**
 * The physical limit: the same octets copied twice and summed once, in the same WebAssembly with the same sum, and
 * nothing in between (`copyAndSum` of assembly/probe.ts). A stack in user space copies twice at least, from the
 * application and to the other one's; and it sums once wherever nobody else does.
 */
import { readFile } from 'node:fs/promises';

/** Octets that are under way together: as much as the rings of the stream that it is compared with. */
const BATCH = 262144;

interface Probe {
  scratch(): number;
  copyAndSum(area: number, size: number, segments: number): bigint;
}

export class CopyPeer {
  readonly #probe: Probe;
  readonly #payload: number;

  private constructor(probe: Probe, payload: number) {
    this.#probe = probe;
    this.#payload = payload;
  }

  /** `payload`: octets of a segment. */
  static async create(payload: number): Promise<CopyPeer> {
    const module = await WebAssembly.compile(await readFile(new URL('../probe.wasm', import.meta.url)));
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 32768 });
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return new CopyPeer(exports as unknown as Probe, payload);
  }

  transfer(octets: number): void {
    const area = this.#probe.scratch();
    const segments = Math.floor(BATCH / this.#payload);
    for (let done = 0; done < octets; done += segments * this.#payload) {
      this.#probe.copyAndSum(area, this.#payload, segments);
    }
  }
}
