import { describe, expect, it } from 'vitest'
import { coresIn } from '../../../bench/cores.js'

describe('the cores that a process may run on', () => {
  it('are none where nothing, or no list, is said', () => {
    for (const list of ['', ' ', '-', 'all', '0-', '2-1']) expect(coresIn(list), list).toEqual([])
  })

  it('are ranges and single ones', () => {
    expect(coresIn('0-1')).toEqual([0, 1])
    expect(coresIn('0-2,5,8-9')).toEqual([0, 1, 2, 5, 8, 9])
  })
})
