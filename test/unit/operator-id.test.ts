import { userInfo } from 'node:os'
import { expect, it } from 'vitest'
import { operatorId } from '../../src/operator-id.js'

it('an operator is called by the user of the process, and by its number where it has no name', () => {
  expect(operatorId()).toBe(`operator:${userInfo().username}`)
  const nameless = () => {
    throw new Error('uv_os_get_passwd returned ENOENT (no such file or directory)')
  }
  expect(operatorId(nameless)).toBe(`operator:uid ${process.getuid?.()}`)
})
