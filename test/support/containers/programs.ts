import { read } from './project-files.js'

const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

/** Whether an npm script starts the same: arguments of the image's entrypoint, which is a node with its flags. */
export function isProgram(args: readonly string[] = []): boolean {
  return Object.values(scripts).some((script) => script.endsWith(`node --enable-source-maps ${args.join(' ')}`))
}
