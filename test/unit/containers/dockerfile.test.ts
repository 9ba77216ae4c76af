import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Copy } from 'dockerfile-ast'
import { describe, expect, it } from 'vitest'
import { configVariables } from '../../../src/config.js'
import { lint } from '../../support/containers/deployment-tools.js'
import { copyStepOf, instructionsOf, lastStage, processOf, readStages } from '../../support/containers/dockerfile.js'
import { isProgram } from '../../support/containers/programs.js'
import { PROJECT, read } from '../../support/containers/project-files.js'
import { hadolintCommand } from '../../support/providers/provider-tools.js'

const stages = readStages()
const last = lastStage()
const { devDependencies } = JSON.parse(read('package.json'))

describe('the Dockerfile', () => {
  it('builds and runs on the Node that the tests run on, of an exact version', () => {
    expect(new Set(stages.map(({ image }) => image))).toEqual(new Set([`node:${devDependencies.node}-trixie-slim`]))
  })

  it('copies what there is, and only what it has made into the image', () => {
    const copies = stages.flatMap((stage) => instructionsOf<Copy>(stage, 'COPY').map(copyStepOf))
    const missing = copies.filter(({ from }) => from === null).flatMap(({ sources }) => sources)
    expect(missing.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([])
    const intoTheImage = instructionsOf<Copy>(last, 'COPY').map(copyStepOf)
    expect(intoTheImage.filter(({ from }) => from === null).flatMap(({ sources }) => sources)).toEqual([
      'package.json',
      'LICENSE'
    ])
    expect(instructionsOf(last, 'RUN')).toEqual([])
  })

  it('runs as a user by number who is not root', () => {
    expect(processOf(last).user).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/)
  })

  it('sets variables that the program reads, and listens where it says', () => {
    const { env, port } = processOf(last)
    expect(Object.keys(env).filter((name) => !configVariables.includes(name))).toEqual([])
    expect([env.NODE_ENV, env.HOST, env.PORT]).toEqual(['production', '0.0.0.0', String(port)])
  })

  it('starts a program that there is, without a shell, which is told to stop by the signal that it hears', () => {
    const { entrypoint, command, stopSignal } = processOf(last)
    expect(entrypoint).toEqual(['node', '--enable-source-maps'])
    expect(isProgram(command)).toBe(true)
    expect(read('src/serve.ts')).toContain(`'${stopSignal}'`)
  })
})

describe.skipIf(!hadolintCommand)('the Dockerfile, to hadolint', () => {
  const dockerfile = read('Dockerfile')

  it('has nothing to find fault with', () => {
    expect(lint(dockerfile)).toBe('')
  })

  it.each([
    ['an instruction that there is not', 'STOPSIGNAL', 'STOPSIGNL', "unexpected 'S'"],
    ['an option that there is not', 'COPY --from=build', 'COPY --form=build', 'invalid flag: --form'],
    ['an image that may be another tomorrow', /^FROM \S+$/m, 'FROM node:latest', 'DL3007'],
    ['a command of a shell', 'RUN npm ci\n', 'RUN cd $HOME && npm ci\n', 'SC2086']
  ])('would have %s found', (_, right, wrong, found) => {
    const broken = dockerfile.replace(right, () => wrong)
    expect(broken).not.toBe(dockerfile)
    expect(lint(broken)).toContain(found)
  })
})
