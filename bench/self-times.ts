import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[]
  samples: number[]
  timeDeltas: number[]
}

const TOP = 25
const NOT_BUSY = ['(idle)', '(program)']

/** Where the processes of some CPU profiles spent their time: by package or part of the program, and by function. */
export function selfTimes(folder: string): string {
  if (!existsSync(folder))
    return 'No profile was made: it is API processes that are profiled, and these cases start none.'
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))
  return files.map((name) => `\n${name}\n${summary(JSON.parse(readFileSync(join(folder, name), 'utf8')))}`).join('\n')
}

function summary({ nodes, samples, timeDeltas }: Profile): string {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const places = new Map<string, number>()
  const functions = new Map<string, number>()
  let busyUs = 0
  samples.forEach((id, index) => {
    const { functionName = '', url = '' } = frames.get(id) ?? {}
    if (NOT_BUSY.includes(functionName)) return
    const us = timeDeltas[index] ?? 0
    const place = placeOf(functionName, url)
    busyUs += us
    places.set(place, (places.get(place) ?? 0) + us)
    const name = `${functionName || '(anonymous)'}  ${place} ${url.split('/').at(-1) ?? ''}`
    functions.set(name, (functions.get(name) ?? 0) + us)
  })
  return [`busy ${(busyUs / 1e6).toFixed(1)} s`, ...top(places, busyUs), '', ...top(functions, busyUs)].join('\n')
}

/** The package, the folder of the program, or what of Node it is. */
function placeOf(functionName: string, url: string): string {
  const [, dependency] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? []
  if (dependency) return dependency
  const [, folder] = /dist\/((?:src|jobs|bench)\/[^/]+)/.exec(url) ?? []
  if (folder) return folder
  if (url.startsWith('node:')) return url.split('/')[0] === 'node:internal' ? `node:${url.split('/')[1]}` : url
  return functionName.startsWith('(') ? functionName : 'native'
}

function top(times: Map<string, number>, busyUs: number): string[] {
  const sorted = [...times].sort(([, a], [, b]) => b - a).slice(0, TOP)
  return sorted.map(([name, us]) => `${((us / busyUs) * 100).toFixed(1).padStart(6)} %  ${name}`)
}
