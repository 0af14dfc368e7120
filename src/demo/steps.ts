import { randomBytes } from 'node:crypto';
import type { Leading, NodeStatus } from '../daemon/control/api.ts';
import { DemoApp, DYNOS } from './app.ts';
import { slowPing } from './caller.ts';
import { cutInTheMiddle } from './cut.ts';
import { type Erlang, findErlang } from './erlang.ts';
import { type DemoFolder, makeFolder } from './folder.ts';
import { type Guest, startGuest } from './guest.ts';
import { startHeroku } from './heroku.ts';
import { keep } from './keep.ts';
import { type Laptop, startLaptop } from './laptop.ts';
import { hasManyAddresses } from './loopback.ts';
import { restart } from './restart.ts';
import type { Stage } from './scene.ts';

const APP = 'my-app';

/** All steps but the last, in order. Fails with the first one that does. */
export async function perform(stage: Stage): Promise<void> {
  const { show } = stage;
  const folder = await makeFolder(stage.keep, stage.cleanup);
  const erlang = await findErlang(stage.interrupted);
  const { app, heroku } = await buildApp(stage, folder, erlang);
  const { laptopHome: home, epmuxHome } = folder;
  const laptop = await show.step(
    'daemon',
    () => startLaptop({ ...stage, home, epmuxHome, app: app.name, heroku }),
    () => ({ detail: 'a process of its own, answers on its control socket' }),
  );
  const leading = await bringUp(stage, laptop);
  await pingAll(stage, laptop);
  const guest =
    erlang === undefined ? undefined : await enter(stage, erlang, leading, { laptop, home });
  const scene = { ...stage, app, heroku, laptop, guest };
  const { nodeName, node } = await app.dyno('web.1');
  const caller =
    node.standIn === undefined
      ? guest?.caller(nodeName)
      : slowPing(node.standIn, nodeName, laptop, stage.interrupted);
  if (caller !== undefined) await cutInTheMiddle(scene, caller);
  await restart(scene);
  await pingAll(stage, laptop);
  if (stage.keep) {
    const { url: herokuUrl, token } = heroku;
    await keep({ ...stage, epmuxHome, app: app.name, herokuUrl, token, node: nodeName });
  }
}

async function buildApp(stage: Stage, folder: DemoFolder, erlang: Erlang | undefined) {
  const { show, cleanup } = stage;
  const token = randomBytes(32).toString('base64url');
  const app = new DemoApp({
    ...stage,
    name: APP,
    namedByDyno: !(await hasManyAddresses()),
    home: folder.dynoHome,
    cookie: folder.dynoCookie,
    secret: randomBytes(32).toString('base64url'),
    erlang,
  });
  const heroku = await show.step(
    'heroku',
    () => startHeroku(app, token),
    ({ url }) => ({ detail: `a stand-in for its two services at ${url}` }),
  );
  cleanup.add('the stand-in for Heroku', () => heroku.close());
  cleanup.add('the dynos', () => app.close());
  await show.step(
    'dynos',
    () => app.start(),
    () => ({ detail: `${DYNOS.join(', ')} with ${describeNodes(erlang)}` }),
  );
  return { app, heroku: { url: heroku.url, token } };
}

function describeNodes(erlang: Erlang | undefined): string {
  if (erlang === undefined) return 'stand-ins: no Erlang here';
  const { release, elixir } = erlang;
  return `OTP ${release}${elixir === undefined ? '' : `, Elixir ${elixir.version}`}`;
}

async function bringUp({ show }: Stage, laptop: Laptop): Promise<Leading> {
  const leading = await show.step(
    'tunnel up',
    () => laptop.up(),
    () => ({ detail: `epmux up -a ${APP}: nothing but the key for Heroku` }),
  );
  const nodes = await show.step(
    'nodes',
    () => laptop.nodes(DYNOS.length),
    () => ({ detail: 'three, one a dyno' }),
  );
  for (const { dyno, name, address, port } of nodes.toSorted(byDyno)) {
    show.tell(dyno ?? '', `${name} at ${address}:${port}`);
  }
  return leading;
}

async function pingAll({ show }: Stage, laptop: Laptop): Promise<void> {
  await show.step(
    'ping',
    async () => {
      const nodes = await laptop.nodes(DYNOS.length);
      return Promise.all(nodes.map(({ name }) => laptop.pong(name)));
    },
    (rtts) => ({ detail: 'pong from all three', figureMs: Math.max(...rtts) }),
  );
}

async function enter(
  { show, interrupted, cleanup }: Stage,
  erlang: Erlang,
  leading: Leading,
  { laptop, home }: { readonly laptop: Laptop; readonly home: string },
): Promise<Guest> {
  return show.step(
    'local node',
    async () => {
      const guest = await startGuest(erlang, leading, { home, interrupted, cleanup });
      for (const { name } of await laptop.nodes(DYNOS.length)) await guest.reach(name);
      return guest;
    },
    () => ({ detail: 'me@laptop reaches all three, with a cookie of its own' }),
  );
}

function byDyno(a: NodeStatus, b: NodeStatus): number {
  return (a.dyno ?? '').localeCompare(b.dyno ?? '');
}
