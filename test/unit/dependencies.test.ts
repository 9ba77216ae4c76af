import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

interface Manifest {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  allowScripts: Record<string, boolean>
  scripts: Record<string, string>
}

interface Component {
  name: string
  version: string
  licenses?: object[]
  properties?: { name: string }[]
}

interface Locked {
  license?: string
  dev?: boolean
  optional?: boolean
  hasInstallScript?: boolean
  integrity?: string
}

const read = (path: string) => readFileSync(join(import.meta.dirname, '..', '..', path), 'utf8')
const { dependencies, devDependencies, allowScripts, scripts } = JSON.parse(read('package.json')) as Manifest
const names = Object.keys({ ...dependencies, ...devDependencies })
const lines = read('docs/dependencies.md')
  .split('\n')
  .filter((line) => /^\| (?!package|---)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
/** Without the project itself, by name. */
const locked = Object.entries(packages).flatMap(([path, found]): [string, Locked][] =>
  path === '' ? [] : [[path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length), found]]
)

/** Licences that ask for nothing but their text. */
const LICENCES = ['MIT', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', '0BSD', 'BlueOak-1.0.0']

const folder = mkdtempSync(join(tmpdir(), 'conclave-dependencies-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('a package that this project depends on', () => {
  it('has a line of its own in docs/dependencies.md, and no line is left over', () => {
    expect(lines.flatMap(([, packages = '']) => packages.split(', ')).sort()).toEqual([...names].sort())
  })

  it.each(lines)('stands there with why, its licence and what else was looked at: %s%s', (...[, named, ...cells]) => {
    const [why, licence, others] = cells
    expect([why, others]).not.toContain('')
    const own = (named ?? '').split(', ').map((name) => packages[`node_modules/${name}`]?.license)
    expect([...new Set(own)].sort()).toEqual(licence?.split(', ').sort())
  })

  it('has an exact version, and a digest in the lock file', () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/)
      expect(packages[`node_modules/${name}`]?.integrity, name).toMatch(/^sha512-/)
    }
  })
})

describe('a package that a deployment has', () => {
  it('has a licence that asks for nothing but its text', () => {
    // Of the packages for other platforms the lock file has the name only.
    const others = locked.filter(([, { dev, optional, license }]) => !dev && !(optional && license === undefined))
    const licences = others.flatMap(([name, { license = `none: ${name}` }]) =>
      license.replace(/[()]/g, '').split(' AND ')
    )
    expect([...new Set(licences)].filter((licence) => !LICENCES.includes(licence))).toEqual([])
  })

  it('is in the bill of materials that npm run sbom writes, with its version and licence', async () => {
    const [, ...args] = scripts.sbom?.split(' > ')[0]?.split(' ') ?? []
    const options = { cwd: join(import.meta.dirname, '..', '..'), maxBuffer: 2 ** 24 }
    const { stdout } = await promisify(execFile)('npm', args, options)
    const bill = JSON.parse(stdout) as { bomFormat: string; specVersion: string; components: Component[] }
    expect([bill.bomFormat, bill.specVersion]).toEqual(['CycloneDX', '1.5'])
    const listed = new Map(bill.components.map(({ name, ...component }) => [name, component]))
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      expect(listed.get(name), name).toMatchObject({ version, licenses: [expect.anything()] })
    const isForDevelopment = (name: string) =>
      listed.get(name)?.properties?.some((property) => property.name === 'cdx:npm:package:development') ?? false
    expect(Object.keys(dependencies).filter(isForDevelopment)).toEqual([])
    expect(Object.keys(devDependencies).filter(isForDevelopment)).toContain('vitest')
  })
})

describe('an install script', () => {
  it('belongs to a package that is allowed one or refused it, by name', () => {
    const withScripts = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([name]) => name)
    expect([...new Set(withScripts)].sort()).toEqual(Object.keys(allowScripts).sort())
  })

  it('does not run where its package is neither, and the installation fails', { timeout: 60_000 }, async () => {
    const ran = join(folder, 'ran')
    const unlisted = join(folder, 'unlisted')
    const project = join(folder, 'project')
    for (const path of [unlisted, project]) mkdirSync(path)
    const install = `${JSON.stringify(process.execPath)} -e "fs.writeFileSync(process.env.RAN, '')"`
    writeFileSync(
      join(unlisted, 'package.json'),
      JSON.stringify({ name: 'unlisted', version: '1.0.0', scripts: { install } })
    )
    await npm(unlisted, ['pack'], ran)
    const manifest = {
      name: 'p',
      version: '1.0.0',
      allowScripts,
      dependencies: { unlisted: 'file:../unlisted/unlisted-1.0.0.tgz' }
    }
    writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
    // Without the setting it runs: there is something to stop.
    await npm(project, ['install'], ran)
    expect(existsSync(ran)).toBe(true)
    for (const path of [ran, join(project, 'node_modules')]) rmSync(path, { recursive: true })
    writeFileSync(join(project, '.npmrc'), read('.npmrc'))
    await expect(npm(project, ['install'], ran)).rejects.toThrow(/ESTRICTALLOWSCRIPTS/)
    expect(existsSync(ran)).toBe(false)
  })
})

async function npm(cwd: string, args: string[], ran: string): Promise<void> {
  const { PATH = '', HOME = '' } = process.env
  const options = ['--offline', '--no-audit', '--no-fund', '--no-update-notifier', `--cache=${join(folder, 'cache')}`]
  await promisify(execFile)('npm', [...args, ...options], { cwd, env: { PATH, HOME, RAN: ran } })
}
