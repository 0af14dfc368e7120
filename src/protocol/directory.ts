import { MAX_PAYLOAD_BYTES } from './constants.ts';
import { PayloadReader } from './payload-reader.ts';
import { encodeText } from './text.ts';

export interface DirectoryNode {
  /** `my_app@host`, or `my_app` while the host part is not known. */
  readonly name: string;
  readonly visible: boolean;
  /** The agent knows a cookie that this node accepts. */
  readonly cookieKnown: boolean;
  readonly port: number;
  /** 0 when not known. */
  readonly creation: number;
  /** The OTP release, empty when not known: no agent looks for it so far. */
  readonly release: string;
}

export interface Directory {
  readonly epoch: number;
  readonly epmdDown: boolean;
  /** Some nodes were left out. Said, and not used so far. */
  readonly truncated: boolean;
  readonly nodes: readonly DirectoryNode[];
}

const HEAD_BYTES = 7;
const NODE_FIXED_BYTES = 12;
const VISIBLE = 77;
const HIDDEN = 72;
const EPMD_DOWN = 1;
const TRUNCATED = 2;
const COOKIE_KNOWN = 1;

/** The payload of DIRECTORY. Nodes that do not fit are left out and `truncated` is set. */
export function encodeDirectory(directory: Directory): Uint8Array {
  const entries: Uint8Array[] = [];
  let size = HEAD_BYTES;
  for (const node of directory.nodes) {
    const entry = encodeNode(node);
    if (size + entry.length > MAX_PAYLOAD_BYTES) break;
    entries.push(entry);
    size += entry.length;
  }
  const truncated = directory.truncated || entries.length < directory.nodes.length;
  const payload = Buffer.alloc(size);
  payload.writeUInt32BE(directory.epoch, 0);
  payload.writeUInt8((directory.epmdDown ? EPMD_DOWN : 0) | (truncated ? TRUNCATED : 0), 4);
  payload.writeUInt16BE(entries.length, 5);
  let at = HEAD_BYTES;
  for (const entry of entries) {
    payload.set(entry, at);
    at += entry.length;
  }
  return payload;
}

function encodeNode(node: DirectoryNode): Uint8Array {
  const name = encodeText(node.name);
  const release = encodeText(node.release);
  const entry = Buffer.alloc(NODE_FIXED_BYTES + name.length + release.length);
  // A name beyond 16 bits of length can't be told; its entry is then longer than any payload and is
  // left out.
  entry.writeUInt16BE(Math.min(name.length, 0xffff), 0);
  entry.set(name, 2);
  const at = 2 + name.length;
  entry.writeUInt8(node.visible ? VISIBLE : HIDDEN, at);
  entry.writeUInt8(node.cookieKnown ? COOKIE_KNOWN : 0, at + 1);
  entry.writeUInt16BE(node.port, at + 2);
  entry.writeUInt32BE(node.creation, at + 4);
  entry.writeUInt16BE(Math.min(release.length, 0xffff), at + 8);
  entry.set(release, at + 10);
  return entry;
}

export function parseDirectory(payload: Uint8Array): Directory {
  const reader = new PayloadReader(payload, 'DIRECTORY');
  const epoch = reader.u32();
  const flags = reader.u8();
  const count = reader.u16();
  const nodes: DirectoryNode[] = [];
  while (nodes.length < count) nodes.push(parseNode(reader));
  return {
    epoch,
    epmdDown: (flags & EPMD_DOWN) !== 0,
    truncated: (flags & TRUNCATED) !== 0,
    nodes,
  };
}

function parseNode(reader: PayloadReader): DirectoryNode {
  const name = reader.text(reader.u16());
  const type = reader.u8();
  if (type !== VISIBLE && type !== HIDDEN) throw reader.malformed(`a node of type ${type}`);
  const cookieKnown = (reader.u8() & COOKIE_KNOWN) !== 0;
  const port = reader.u16();
  const creation = reader.u32();
  const release = reader.text(reader.u16());
  return { name, visible: type === VISIBLE, cookieKnown, port, creation, release };
}
