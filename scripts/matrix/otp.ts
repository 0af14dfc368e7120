import { messageOf } from '../../src/protocol/errors.ts';
import { TestDyno } from '../../test/support/dyno.ts';
import { Laptop } from '../../test/support/laptop.ts';
import { findRelease, OTPS, type OtpRelease, shareTmp } from './otp-release.ts';
import type { PairResult, PartResult } from './result.ts';
import { ALL_CHECKS, checkTunnel } from './tunnel-checks.ts';

/**
 * Every release of OTP at the laptop with every one in the dyno, `epmux` and its agent from the
 * sources.
 */
export async function otpPart(onPair: (pair: PairResult) => void): Promise<PartResult> {
  const releases: OtpRelease[] = [];
  const missing: string[] = [];
  for (const otp of OTPS) {
    try {
      const release = findRelease(otp);
      shareTmp(release);
      releases.push(release);
    } catch (error) {
      missing.push(`OTP ${otp}: ${messageOf(error)}`);
    }
  }
  const pairs: PairResult[] = [];
  for (const remote of releases) {
    const dyno = await TestDyno.start(remote.host);
    try {
      const app = await dyno.erlang.node('app', { elixir: true, tickTimeS: 4 });
      for (const local of releases) {
        const laptop = await Laptop.start(local.host);
        laptop.env['PATH'] = local.path;
        try {
          const title = `local ${local.otp}, remote ${remote.otp}`;
          pairs.push(await checkTunnel(title, { laptop, dyno, app }, ALL_CHECKS));
          onPair(pairs[pairs.length - 1] as PairResult);
        } finally {
          await laptop.stop();
        }
      }
    } finally {
      await dyno.stop();
    }
  }
  return {
    part: 'otp',
    with: releases.map(({ otp, from }) => `OTP ${otp}: ${from}`),
    pairs,
    missing,
  };
}
