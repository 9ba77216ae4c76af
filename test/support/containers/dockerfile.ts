import {
  type Copy,
  DockerfileParser,
  type Entrypoint,
  type Env,
  type From,
  type Healthcheck,
  type Instruction
} from 'dockerfile-ast'
import { read } from './project-files.js'

export interface Stage {
  name: string | null
  /** With the defaults of the file's own arguments. */
  image: string
  /** In their order, without FROM. */
  instructions: Instruction[]
}

/** The Dockerfile as its stages. */
export function readStages(): Stage[] {
  const dockerfile = DockerfileParser.parse(read('Dockerfile'))
  const defaults = new Map(
    dockerfile.getInitialARGs().map((arg) => [arg.getProperty()?.getName() ?? '', arg.getProperty()?.getValue() ?? ''])
  )
  const stages: Stage[] = []
  for (const instruction of dockerfile.getInstructions()) {
    const last = stages.at(-1)
    if (instruction.getKeyword() === 'FROM') {
      const from = instruction as From
      const image = (from.getImage() ?? '').replace(/\$\{(\w+)\}/g, (_, name) => defaults.get(name) ?? '')
      stages.push({ name: from.getBuildStage(), image, instructions: [] })
    } else if (last) {
      last.instructions.push(instruction)
    }
  }
  return stages
}

/** The one that is the image. */
export function lastStage(): Stage {
  const last = readStages().at(-1)
  if (!last) throw new Error('the Dockerfile has no stage')
  return last
}

/** Those of a stage that have a keyword, in their order. */
export function instructionsOf<Kind extends Instruction>(stage: Stage, keyword: string): Kind[] {
  return stage.instructions.filter((instruction) => instruction.getKeyword() === keyword) as Kind[]
}

export interface CopyStep {
  from: string | null
  mode: number | null
  sources: string[]
  target: string
}

export function copyStepOf(copy: Copy): CopyStep {
  const flags = new Map(copy.getFlags().map((flag) => [flag.getName(), flag.getValue()]))
  const unknown = [...flags.keys()].filter((name) => name !== 'from' && name !== 'chmod')
  if (unknown.length > 0) throw new Error(`COPY --${unknown[0]} is not known here`)
  const names = copy.getArguments().map((argument) => argument.getValue())
  const mode = flags.get('chmod')
  return {
    from: flags.get('from') ?? null,
    mode: mode ? Number.parseInt(mode, 8) : null,
    sources: names.slice(0, -1),
    target: names.at(-1) ?? ''
  }
}

/** What a stage says of the process that runs in it. */
export interface Process {
  env: Record<string, string>
  user: string
  folder: string
  port: number
  stopSignal: string
  entrypoint: string[]
  command: string[]
  healthcheck: string[]
}

/** @throws SyntaxError where a command is not in exec form: a shell would stand between it and its signals */
export function processOf(stage: Stage): Process {
  const text = (keyword: string) => instructionsOf(stage, keyword).at(-1)?.getArgumentsContent() ?? ''
  const healthcheck = instructionsOf<Healthcheck>(stage, 'HEALTHCHECK').at(-1)?.getRawArgumentsContent() ?? ''
  const entrypoint = instructionsOf<Entrypoint>(stage, 'ENTRYPOINT').at(-1)?.getRawArgumentsContent() ?? ''
  return {
    env: Object.fromEntries(
      instructionsOf<Env>(stage, 'ENV').flatMap((env) =>
        env.getProperties().map((property) => [property.getName(), property.getUnescapedValue() ?? ''])
      )
    ),
    user: text('USER'),
    folder: text('WORKDIR'),
    port: Number(text('EXPOSE')),
    stopSignal: text('STOPSIGNAL'),
    entrypoint: JSON.parse(entrypoint),
    command: JSON.parse(text('CMD')),
    healthcheck: JSON.parse(healthcheck.slice(healthcheck.indexOf('CMD ') + 'CMD '.length))
  }
}
