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
  | { readonly kind: 'command'; readonly command: string };
