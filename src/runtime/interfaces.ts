import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/**
 * As `os.networkInterfaces`; none where the system does not tell, such as in a systemd unit whose
 * `RestrictAddressFamilies=` leaves out AF_NETLINK.
 */
export function knownInterfaces(): NodeJS.Dict<NetworkInterfaceInfo[]> {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}
