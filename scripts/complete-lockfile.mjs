// Adds to package-lock.json the optional platform packages that npm leaves out when the registry at hand does not
// serve them. npm 11 refuses to `npm ci` a lock file that does not list every one of them, also those of other platforms.

import { readFileSync, writeFileSync } from 'node:fs'

const PATH = 'package-lock.json'
const OS = {
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  openharmony: 'openharmony',
  win32: 'win32',
  windows: 'win32',
  sunos: 'sunos',
  netbsd: 'netbsd',
  openbsd: 'openbsd',
  aix: 'aix'
}
const CPU = ['arm64', 'x64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'wasm32', 'loong64', 'mips64el']

const lock = JSON.parse(readFileSync(PATH, 'utf8'))

function platformOf(name) {
  const parts = name.split(/[-/]/)
  const os = parts.map((part) => OS[part]).find(Boolean)
  const cpu = parts.find((part) => CPU.includes(part))
  const libc = parts.includes('musl') ? 'musl' : parts.includes('gnu') ? 'glibc' : undefined
  return { ...(cpu ? { cpu: [cpu] } : {}), ...(libc ? { libc: [libc] } : {}), ...(os ? { os: [os] } : {}) }
}

let added = 0
for (const { optionalDependencies = {}, dev } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const place = `node_modules/${name}`
    if (lock.packages[place] || !/^\d/.test(version.replace(/^[\^~]/, ''))) continue
    lock.packages[place] = {
      version: version.replace(/^[\^~]/, ''),
      ...platformOf(name),
      ...(dev ? { dev } : {}),
      optional: true
    }
    added++
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1))
lock.packages = Object.fromEntries(sorted)
writeFileSync(PATH, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} platform packages added`)
