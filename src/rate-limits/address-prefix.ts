import ipaddr from 'ipaddr.js'

/** What one line of a provider gets as a rule (RFC 6177, section 2; RFC 7421): its addresses are one customer's. */
const IPV6_PREFIX_BITS = 64

/**
 * What counts as one address: an IPv4 address, also one that is written as IPv6 (RFC 4291, section 2.5.5.2), or the
 * first 64 bits of an IPv6 address, of which whoever has one has 2^64.
 */
export function addressPrefix(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return ipaddr.IPv6.networkAddressFromCIDR(`${address}/${IPV6_PREFIX_BITS}`).toString()
}
