const NAMES = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/

/** Whether a host name or address means the machine that this runs on, and nobody else can reach it by it. */
export function isThisMachine(host: string): boolean {
  return NAMES.test(host)
}
