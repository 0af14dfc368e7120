import type { Carrier } from '../../src/transport/transport.ts';
import { FarEnd } from '../support/far-end.ts';
import { itCarriesBytes } from './contract-bytes.ts';
import { itEnds } from './contract-ends.ts';
import { never, type Rig, type Stage } from './contract-support.ts';

/** What every transport promises (src/transport/transport.ts, src/runtime/pipe.ts). */
export function describeTransport(name: string, setUp: (farPort: number) => Promise<Rig>): void {
  describe(`the contract of transports: ${name}`, () => {
    let far: FarEnd;
    let rig: Rig;
    let carrier: Carrier;
    const stage: Stage = {
      get far() {
        return far;
      },
      get rig() {
        return rig;
      },
      get carrier() {
        return carrier;
      },
      open: () => Promise.all([carrier.openAgentPipe(never), far.next()]),
    };

    before(async () => {
      far = await FarEnd.start();
      rig = await setUp(far.port);
    });
    beforeEach(async () => {
      carrier = await rig.transport.connect(never);
    });
    afterEach(async () => {
      carrier.close();
      await far.deserted();
      await rig.allQuiet();
    });
    after(async () => {
      far.stop();
      await rig.stop();
    });

    itCarriesBytes(stage);
    itEnds(stage);
  });
}
