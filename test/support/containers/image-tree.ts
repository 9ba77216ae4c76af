import { execFile } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { default as dockerignore } from '@balena/dockerignore'
import type { Copy, Instruction } from 'dockerfile-ast'
import { copyStepOf, lastStage, type Process, processOf, readStages, type Stage } from './dockerfile.js'
import { PROJECT, read } from './project-files.js'

/** What the tests' own installation has come by: not done again for each test. */
const INSTALLED = 'npm ci'
/** Says nothing of what an image holds. */
const FOR_THE_PROCESS = ['LABEL', 'USER', 'EXPOSE', 'STOPSIGNAL', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD', 'ENV']

/**
 * The files of the image, made by the Dockerfile's own lines, without what is in the base image: a folder for each
 * stage, in which COPY copies and RUN runs.
 */
export class ImageTree {
  readonly process: Process
  readonly #folder: string
  readonly #stages: readonly Stage[]

  private constructor(folder: string, stages: readonly Stage[], process: Process) {
    this.#folder = folder
    this.#stages = stages
    this.process = process
  }

  static async build(): Promise<ImageTree> {
    const stages = readStages()
    const tree = new ImageTree(mkdtempSync(join(tmpdir(), 'conclave-image-')), stages, processOf(lastStage()))
    chmodSync(tree.#folder, 0o755)
    for (const index of stages.keys()) await tree.#make(index)
    // The one thing of the base image that is used; other users may not be able to enter the project's own folder.
    cpSync(process.execPath, tree.node)
    return tree
  }

  /** What is `/` in the last stage. */
  get root(): string {
    return this.#rootOf(this.#stages.length - 1)
  }

  /** The folder that a command is started in. */
  get folder(): string {
    return join(this.root, this.process.folder)
  }

  get node(): string {
    return join(this.#folder, 'node')
  }

  /** What is `path` in a stage. */
  pathIn(stage: string, path: string): string {
    return join(this.#rootOf(this.#stages.findIndex(({ name }) => name === stage)), path)
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }

  #rootOf(index: number): string {
    return join(this.#folder, String(index))
  }

  async #make(index: number): Promise<void> {
    const root = this.#rootOf(index)
    mkdirSync(root)
    let folder = '/'
    for (const instruction of this.#stages[index]?.instructions ?? []) {
      const keyword = instruction.getKeyword()
      if (keyword === 'WORKDIR') {
        folder = resolve(folder, instruction.getArgumentsContent() ?? '')
        mkdirSync(join(root, folder), { recursive: true })
      } else if (keyword === 'COPY') this.#copy(instruction as Copy, root, folder)
      else if (keyword === 'RUN') await run(instruction, join(root, folder))
      else if (!FOR_THE_PROCESS.includes(keyword)) throw new Error(`${keyword} is not known here`)
    }
  }

  #copy(instruction: Copy, root: string, folder: string): void {
    const { from, mode, sources, target } = copyStepOf(instruction)
    const place = join(root, resolve(folder, target))
    for (const source of sources) {
      const path = from === null ? join(PROJECT, source) : this.pathIn(from, source)
      // A folder is copied as what is in it, a file by its name.
      const copied = statSync(path).isDirectory() ? place : join(place, basename(path))
      cpSync(path, copied, {
        recursive: true,
        verbatimSymlinks: true,
        ...(from === null ? { filter: isInContext } : {})
      })
      if (mode !== null) chmodSync(copied, mode)
    }
  }
}

const ignored = dockerignore.default().add(read('.dockerignore'))

function isInContext(path: string): boolean {
  const inside = path.slice(PROJECT.length + 1)
  return inside === '' || !ignored.ignores(inside)
}

async function run(instruction: Instruction, folder: string): Promise<void> {
  const command = instruction.getArgumentsContent() ?? ''
  if (command === INSTALLED) return symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'))
  const { PATH = '', HOME = '' } = process.env
  // What was installed for the tests is in npm's cache.
  const env = { PATH, HOME, npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' }
  await promisify(execFile)('sh', ['-c', command], { cwd: folder, env })
}

/** Every file and folder below a folder, as paths. */
export function everythingBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name)
  )
}
