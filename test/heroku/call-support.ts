import assert from 'node:assert/strict';
import { callJson } from '../../src/heroku/http.ts';
import type { HttpCall } from '../../src/heroku/http-call.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { never, ports, ScriptedServer } from './support.ts';

export const KEY = 'HRKU-very-secret';

/** A server that answers as told, and calls to it. */
export class CallRig {
  readonly server: ScriptedServer;

  private constructor(server: ScriptedServer) {
    this.server = server;
  }

  static async start(): Promise<CallRig> {
    return new CallRig(await ScriptedServer.start());
  }

  call(changes: Partial<HttpCall> = {}): HttpCall {
    return {
      method: 'GET',
      url: new URL(`${this.server.url}/apps/my-app`),
      headers: { authorization: `Bearer ${KEY}` },
      limitMs: 10_000,
      repeatable: true,
      what: 'the app my-app',
      keySource: '~/.netrc',
      secrets: [KEY],
      ...changes,
    };
  }

  /** The error, which never holds the key. */
  async failure(changes: Partial<HttpCall> = {}, with_ = ports()): Promise<EpmuxError> {
    const error = await callJson(this.call(changes), with_, never).then(
      () => assert.fail('it did not fail'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof EpmuxError);
    const told = `${error.message} ${error.hint} ${error.stack} ${JSON.stringify(error.cause)}`;
    assert.doesNotMatch(told, new RegExp(KEY));
    return error;
  }
}
