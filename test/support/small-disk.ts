import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Only root may have a file system of its own. */
export const canHaveDisks = process.platform === 'linux' && process.getuid?.() === 0

/** A disk in memory, for the files of a database server that runs as `nobody`. */
export class SmallDisk {
  /** Where a tablespace can be. */
  readonly folder: string
  readonly #mount = mkdtempSync(join(tmpdir(), 'conclave-disk-'))
  readonly #filler = join(this.#mount, 'filler')

  constructor(megabytes: number) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0711`, 'tmpfs', this.#mount])
    this.folder = join(this.#mount, 'tablespace')
    mkdirSync(this.folder, { mode: 0o700 })
    execFileSync('chown', ['nobody', this.folder])
  }

  fill(): void {
    const { bavail, bsize } = statfsSync(this.#mount)
    writeFileSync(this.#filler, Buffer.alloc(bavail * bsize))
  }

  makeRoom(): void {
    rmSync(this.#filler)
  }

  remove(): void {
    execFileSync('umount', [this.#mount])
    rmSync(this.#mount, { recursive: true })
  }
}
