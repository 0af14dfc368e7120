/** What the bench asks of a load generator. */
export type Direction = 'up' | 'down';

export type Request =
  | {
      readonly do: 'transfer';
      readonly port: number;
      readonly streams: number;
      /** Of all streams together. */
      readonly bytes: number;
      readonly direction: Direction;
    }
  | {
      readonly do: 'startBulk';
      readonly port: number;
      readonly streams: number;
      readonly direction: Direction;
    }
  | { readonly do: 'bulkBytes' }
  | { readonly do: 'stopBulk' }
  | {
      readonly do: 'roundTrips';
      readonly port: number;
      readonly count: number;
      readonly warmUp: number;
      /** Stops earlier, with 20 at least. */
      readonly forMs: number;
    }
  | { readonly do: 'open'; readonly port: number; readonly count: number }
  | { readonly do: 'hold'; readonly port: number; readonly count: number }
  | { readonly do: 'release' };

export type Command<K extends Request['do']> = Extract<Request, { readonly do: K }>;

export type Answer = { readonly value: unknown } | { readonly error: string };
