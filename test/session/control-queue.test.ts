import assert from 'node:assert/strict';
import { ControlQueue } from '../../src/session/control-queue.ts';

function all(queue: ControlQueue): string[] {
  const said: string[] = [];
  for (let frame = queue.take(); frame !== undefined; frame = queue.take()) {
    said.push('stream' in frame ? `${frame.type} ${frame.stream}` : frame.type);
  }
  return said;
}

function open(queue: ControlQueue, stream: number): void {
  queue.open({ type: 'OPEN', stream, streamClass: 'bulk', target: 'node/a' });
}

describe('the control queue', () => {
  it('says of a stream: open, accept, credit, fin, in this order', () => {
    const queue = new ControlQueue();
    queue.fin(2);
    queue.credit(2, 10);
    queue.accept(2);
    open(queue, 3);
    queue.fin(3);
    assert.deepEqual(all(queue), ['ACCEPT 2', 'CREDIT 2', 'FIN 2', 'OPEN 3', 'FIN 3']);
    assert.equal(queue.size, 0);
  });

  it('keeps one credit a stream, the latest', () => {
    const queue = new ControlQueue();
    for (let limit = 1; limit <= 1_000; limit++) queue.credit(1, limit);
    assert.deepEqual(queue.take(), { type: 'CREDIT', stream: 1, limit: 1_000 });
    assert.equal(queue.take(), undefined);
  });

  it('says nothing more of a stream that ends, but that', () => {
    const queue = new ControlQueue();
    queue.accept(1);
    queue.credit(1, 5);
    queue.fin(1);
    queue.end({ type: 'RESET', stream: 1, code: 14, text: '' });
    assert.deepEqual(all(queue), ['RESET 1']);
  });

  it('says nothing at all of a stream that ends before it was opened', () => {
    const queue = new ControlQueue();
    open(queue, 1);
    queue.end({ type: 'RESET', stream: 1, code: 14, text: '' });
    assert.equal(queue.size, 0);
    assert.equal(queue.take(), undefined);
  });

  it('forgets a stream that the other end has closed', () => {
    const queue = new ControlQueue();
    queue.credit(1, 5);
    queue.forget(1);
    assert.equal(queue.size, 0);
  });

  it('opens streams in the order of their ids, whatever else is said', () => {
    const queue = new ControlQueue();
    for (const id of [1, 3, 5]) open(queue, id);
    queue.credit(3, 9);
    queue.credit(1, 9);
    assert.deepEqual(all(queue), ['OPEN 1', 'CREDIT 1', 'OPEN 3', 'CREDIT 3', 'OPEN 5']);
  });
});
