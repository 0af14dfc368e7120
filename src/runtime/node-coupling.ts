import { DistributionRelay, type DueWork } from '../erlang/relay.ts';
import { type DistributionRelayOptions, RELAY_DEFAULTS } from '../erlang/relay-options.ts';
import { WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { EndReason } from '../protocol/frames.ts';
import { wireReason } from '../protocol/wire-codes.ts';
import type { Clock } from './clock.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import { keepRead } from './lent-reads.ts';
import type { BytePipe } from './pipe.ts';
import { StallWatch } from './stall-watch.ts';

/**
 * A stream of a session can tell its reason to the other end; any other pipe is closed with an
 * error.
 */
export interface TunnelPipe extends BytePipe {
  reset?(reason: EndReason): void;
}

export interface NodeCouplingOptions {
  /** The node's socket. */
  readonly node: BytePipe;
  readonly tunnel: TunnelPipe;
  readonly relay: Pick<DistributionRelayOptions, 'side'> & Partial<DistributionRelayOptions>;
  readonly clock: Clock;
  /**
   * The tunnel has taken nothing from a waiting node for so long: STALLED. Not given: the node may
   * wait for as long as it likes.
   */
  readonly stallMs?: number;
  /**
   * The node beside this end refused the connector's cookie: gives what the other end is told. Not
   * given: it is told a close and no more.
   */
  readonly onCookieRefused?: (relay: DistributionRelay) => string;
  /** Once, when both pipes are closed; code NONE when both directions ended in order. */
  readonly onClosed: (reason: EndReason) => void;
}

const IN_ORDER: EndReason = { code: WireCode.NONE, text: '' };
const GAVE_UP: EndReason = {
  code: WireCode.CANCELLED,
  text: 'the connecting node closed within the handshake',
};
/**
 * How long a node may take to close after its peer did, and last words to leave. A half-open
 * connection is of no use to a node.
 */
const LINGER_MS = 5_000;

/** Couples a node's socket with the tunnel, both pipes not started yet. The first reason wins. */
export class NodeCoupling {
  readonly relay: DistributionRelay;
  readonly #options: NodeCouplingOptions;
  readonly #stall: StallWatch;
  readonly #timer: DeadlineTimer;
  #lingersUntil = Number.POSITIVE_INFINITY;
  #reason: EndReason | undefined;
  #nodeClosed = false;
  #tunnelEnded = false;
  #tunnelClosed = false;

  constructor(options: NodeCouplingOptions) {
    this.#options = options;
    const { node, tunnel, clock } = options;
    this.#stall = new StallWatch(options.stallMs ?? Number.POSITIVE_INFINITY);
    this.#timer = new DeadlineTimer(
      clock,
      () => this.#nextDeadline(),
      () => this.#work(),
    );
    this.relay = new DistributionRelay({ ...RELAY_DEFAULTS, ...options.relay }, clock.now());
    node.start({
      copies: tunnel.copies === true,
      onBytes: (chunk) => {
        // The relay keeps parts of a handshake, and nothing of what follows it.
        const own = this.relay.phase === 'handshake' ? new Uint8Array(chunk) : chunk;
        this.#toTunnel(this.relay.fromNode(own, clock.now()));
      },
      onWritable: () => tunnel.resume(),
      onEnd: () => this.#onNodeEnd(),
      onClosed: (error) => this.#onNodeClosed(error),
    });
    tunnel.start({
      passes: node.passes === true,
      onBytes: (chunk) => {
        if (this.relay.phase === 'handshake') keepRead();
        this.#toNode(this.relay.fromTunnel(chunk, clock.now()));
      },
      onWritable: () => this.#onTunnelWritable(),
      onEnd: () => this.#onTunnelEnd(),
      onClosed: (error) => this.#onTunnelClosed(error),
    });
    this.#work();
  }

  /** Ends both at once; the tunnel's other end is told the reason. */
  close(reason: EndReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#closeTunnel(reason);
    this.#closeNode(reason);
  }

  #toTunnel(chunks: readonly Uint8Array[]): void {
    const { node, tunnel, clock } = this.#options;
    let room = true;
    for (const chunk of chunks) room = tunnel.write(chunk);
    if (!room) {
      node.pause();
      this.relay.reading(false, clock.now());
      this.#stall.onRefused(tunnel.bufferedBytes, clock.now());
    }
    this.#work();
  }

  #toNode(chunks: readonly Uint8Array[]): void {
    const { node, tunnel } = this.#options;
    let room = true;
    for (const chunk of chunks) room = node.write(chunk);
    if (!room) tunnel.pause();
    this.#work();
  }

  #onTunnelWritable(): void {
    const { node, clock } = this.#options;
    this.#stall.onRoom();
    this.relay.reading(true, clock.now());
    node.resume();
    this.#work();
  }

  #onNodeEnd(): void {
    this.#toTunnel(this.relay.nodeEnded());
    const refusal = this.#cookieRefusal();
    if (refusal !== undefined) this.close(refusal);
    else if (this.#hasGivenUp) this.close(GAVE_UP);
    else {
      this.#options.tunnel.end();
      // No relay at the other end sees to it that the node there closes too.
      if (this.#options.relay.ticks === 'pass') this.#linger();
    }
  }

  /** Asked when the node has ended: it waits for no answer any more. */
  get #hasGivenUp(): boolean {
    const isConnector = this.#options.relay.side === 'connector';
    return isConnector && this.relay.phase === 'handshake' && !this.#tunnelEnded;
  }

  #onTunnelEnd(): void {
    this.#tunnelEnded = true;
    this.#toNode(this.relay.tunnelEnded());
    this.#options.node.end();
    this.#linger();
  }

  #onNodeClosed(error: EpmuxError | undefined): void {
    this.#nodeClosed = true;
    if (error !== undefined && this.#reason === undefined) {
      // A node that dies or refuses a cookie may reset rather than end: its peer is to see the
      // close all the same.
      this.relay.nodeEnded();
      this.#reason = this.#cookieRefusal() ?? {
        code: WireCode.ENDPOINT_GONE,
        text: error.message,
      };
      this.#closeTunnel(this.#reason);
    }
    this.#checkOver();
  }

  #cookieRefusal(): EndReason | undefined {
    const { onCookieRefused, relay } = this.#options;
    if (onCookieRefused === undefined || relay.side !== 'acceptor') return undefined;
    if (!this.relay.cookieRefused) return undefined;
    return { code: WireCode.COOKIE, text: onCookieRefused(this.relay) };
  }

  #onTunnelClosed(error: EpmuxError | undefined): void {
    this.#tunnelClosed = true;
    // A pipe may close without an error and without having ended: the other end has let go of the
    // stream.
    if ((error !== undefined || !this.#tunnelEnded) && this.#reason === undefined) {
      this.#reason = error === undefined ? IN_ORDER : wireReason(error);
      this.relay.tunnelEnded();
      this.#closeNode(this.#reason);
    }
    this.#checkOver();
  }

  /** Does what is due, then sees to it that it will be called in time. */
  #work(): void {
    const { clock, tunnel, node } = this.#options;
    const now = clock.now();
    if (this.#reason === undefined && this.relay.nextDeadline() <= now) {
      this.#do(this.relay.onDeadline(now));
    }
    if (this.#reason === undefined && this.#stall.isOver(tunnel.bufferedBytes, now)) {
      this.close({ code: WireCode.STALLED, text: this.#stall.text });
    }
    if (now >= this.#lingersUntil) {
      this.#lingersUntil = Number.POSITIVE_INFINITY;
      if (this.#hasWordsLeft) this.#linger();
      else {
        node.close();
        tunnel.close();
      }
    }
    this.#timer.arm();
  }

  #do({ toNode, toTunnel, failure }: DueWork): void {
    const { node, tunnel } = this.#options;
    for (const chunk of toNode) node.write(chunk);
    for (const chunk of toTunnel) tunnel.write(chunk);
    if (failure === undefined || this.#reason !== undefined) return;
    this.#reason = failure;
    if (toTunnel.length === 0) this.#closeTunnel(failure);
    else tunnel.end();
    if (toNode.length === 0) this.#closeNode(failure);
    else node.end();
    this.#linger();
  }

  /** Of a node that has closed; whoever they are for has not. */
  get #hasWordsLeft(): boolean {
    const { bufferedBytes } = this.#options.tunnel;
    return this.#reason === undefined && !this.#tunnelEnded && bufferedBytes > 0;
  }

  #linger(): void {
    this.#lingersUntil = Math.min(this.#lingersUntil, this.#options.clock.now() + LINGER_MS);
    this.#timer.arm();
  }

  #nextDeadline(): number {
    if (this.#over) return Number.POSITIVE_INFINITY;
    if (this.#reason !== undefined) return this.#lingersUntil;
    return Math.min(this.relay.nextDeadline(), this.#stall.nextLook(), this.#lingersUntil);
  }

  #closeTunnel(reason: EndReason): void {
    const { tunnel } = this.#options;
    if (tunnel.reset !== undefined) tunnel.reset(reason);
    else tunnel.close(new EpmuxError('NODE_UNREACHABLE', reason.text));
  }

  #closeNode(reason: EndReason): void {
    this.#options.node.close(new EpmuxError('NODE_UNREACHABLE', reason.text));
  }

  get #over(): boolean {
    return this.#nodeClosed && this.#tunnelClosed;
  }

  #checkOver(): void {
    if (!this.#over) return;
    this.#timer.cancel();
    this.#options.onClosed(this.#reason ?? IN_ORDER);
  }
}
