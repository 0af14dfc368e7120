/** Where a tunnel leads; exactly one of the ways. */
export type Way =
  | { readonly kind: 'connect'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'ssh';
      readonly user: string;
      readonly host: string;
      readonly port: number;
      readonly identityFile?: string;
    }
  | { readonly kind: 'command'; readonly command: string }
  | {
      readonly kind: 'heroku';
      readonly app: string;
      /** `web.1` that dyno, `web` all of the type; none: every running dyno. */
      readonly dynos: readonly string[];
    };
export type HerokuWay = Extract<Way, { kind: 'heroku' }>;
/** A way that leads to one dyno, and that a transport alone knows how to go. */
export type PlainWay = Exclude<Way, HerokuWay>;
