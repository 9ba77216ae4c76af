import { readFileSync, writeFileSync } from 'node:fs'

// Preloaded with --import: a process that ends writes down how much memory it has had at its most. Of itself alone, where
// getrusage also counts what the process had before it became this program.
process.on('exit', () => {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  writeFileSync(process.env.PEAK_MEMORY_FILE, `${kilobytes}\n`)
})
