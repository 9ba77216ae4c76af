import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Whether there is `script`, of util-linux, which gives a program a terminal. */
export const hasTerminal = isInstalled()

/**
 * Runs a command line on a terminal and answers it.
 *
 * @param question after which the answer is typed
 */
export async function onTerminal(
  line: string,
  options: { cwd: string; env: Record<string, string> },
  { question, answer }: { question: string; answer: string }
): Promise<{ code: number | null; output: string }> {
  const env = { PATH: process.env.PATH ?? '', TERM: 'xterm', SHELL: '/bin/sh', ...options.env }
  const child = spawn('script', ['-qec', line, '/dev/null'], { cwd: options.cwd, env })
  let output = ''
  let answered = false
  child.stdin.on('error', () => {})
  child.stdout.on('data', (chunk) => {
    output += chunk
    if (answered || !output.includes(question)) return
    answered = true
    child.stdin.write(`${answer}\n`)
  })
  const [code] = await once(child, 'close')
  return { code, output }
}

function isInstalled(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux')
  } catch {
    return false
  }
}
