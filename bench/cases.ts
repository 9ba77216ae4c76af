import type { Case } from './case.js'

/** In the order of the table. */
export const cases: Case[] = []
