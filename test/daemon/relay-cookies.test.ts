import assert from 'node:assert/strict';
import { type CookieSources, relayCookies } from '../../src/daemon/relay-cookies.ts';

const cookies = (more: Partial<CookieSources>) =>
  relayCookies({
    agentKnows: false,
    production: async () => undefined,
    local: async () => 'local',
    ...more,
  });

describe('the cookies that a local relay is to know', () => {
  it('are the local one where the agent knows the other, and nobody is asked for that', async () => {
    const production = () => Promise.reject(new Error('asked'));
    assert.deepEqual(await cookies({ agentKnows: true, production }), { local: 'local' });
  });

  it('are both where this side has to know them', async () => {
    const production = async () => 'production';
    assert.deepEqual(await cookies({ production }), { local: 'local', production: 'production' });
  });

  it('are none where nobody knows production’s', async () => {
    const local = () => Promise.reject(new Error('asked'));
    assert.equal(await cookies({ local }), undefined);
  });

  it('are none where this user’s own can not be had: a node may bring the right one', async () => {
    const local = async () => undefined;
    assert.equal(await cookies({ agentKnows: true, local }), undefined);
    assert.equal(await cookies({ production: async () => 'production', local }), undefined);
  });
});
