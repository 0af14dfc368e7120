import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** A table with more routes than this is a router's; its first part has to do. */
const MAX_BYTES = 262_144;
const ANYWHERE = /^0+$/;

/**
 * The routes that everything takes which no other one does, as one text; empty where Linux' tables
 * are not there.
 */
export function defaultRoutes(folder = '/proc/net'): string {
  const v4 = rows(join(folder, 'route')).flatMap(
    ([device, destination = '', gateway, , , , , mask = '']) =>
      ANYWHERE.test(destination) && ANYWHERE.test(mask) ? [`${device} ${gateway}`] : [],
  );
  const v6 = rows(join(folder, 'ipv6_route')).flatMap(
    ([destination = '', length = '', , , gateway, , , , , device]) =>
      // Linux has one over lo always, which leads nowhere.
      ANYWHERE.test(destination) && ANYWHERE.test(length) && device !== 'lo'
        ? [`${device} ${gateway}`]
        : [],
  );
  return [...v4, ...v6].sort().join(', ');
}

function rows(path: string): readonly (readonly string[])[] {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = Buffer.allocUnsafe(MAX_BYTES);
    let length = 0;
    // The kernel gives a page at a time.
    for (let read = -1; read !== 0 && length < MAX_BYTES; length += read) {
      read = readSync(file, bytes, length, MAX_BYTES - length, null);
    }
    const lines = bytes.toString('latin1', 0, length).split('\n');
    return lines.map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
