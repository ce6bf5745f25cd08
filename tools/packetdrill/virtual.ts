/** Scripts on this stack, in virtual time. */
import type { CoreModule } from '../../src/core/load.js';
import { Host } from './host.js';
import type { OpenMachine } from './machine.js';
import { createSocketLayer } from './posix/layer.js';
import { Shell } from './shell/shell.js';

export const onStack =
  (module: CoreModule): OpenMachine =>
  ({ mode, config, path, warn }) => {
    const host = new Host(module, mode, config);
    const { world, stack, addressing } = host;
    const layer = createSocketLayer({
      ...{ world, stack, addressing },
      tolerance: config.toleranceUsecs,
      changed: () => undefined,
    });
    return {
      machine: host,
      layer,
      shell: new Shell(host, path, config.verbose, warn),
      close() {
        layer.close();
        stack.close();
      },
    };
  };
