import type { Case } from '../case.js'
import { openPaging, type PageCipher } from '../seeding/pages.js'

const AT_ONCE = 8
const ROUND_MS = 1_000
/** A round of the RSA side takes three seconds, with the pages that are on their way when it ends. */
const RSA_ROUNDS = { atMost: 12, warmUp: true, measuringMs: 24_000 }

type Description = Pick<Case, 'name' | 'measured' | 'beside' | 'goal' | 'rounds'>

export const page = pageBeside('RSA', {
  name: 'page',
  measured: 'messages(last: 50) over HTTP, 8 at once, data keys cached',
  beside: 'RSA-OAEP per message, 3072 bits',
  goal: { ratio: 'AT_LEAST', value: 30 },
  rounds: RSA_ROUNDS
})

export const pageCipher = pageBeside('COPYING', {
  name: 'page-cipher',
  measured: 'the same',
  beside: 'the same with a cipher that copies',
  goal: { ratio: 'AT_LEAST', value: 0.9 }
})

function pageBeside(cipher: PageCipher, description: Description): Case {
  return {
    ...description,
    unit: '/s',
    async prepare(stage) {
      const conclave = await openPaging(stage, 'AES', { atOnce: AT_ONCE })
      const other = await openPaging(stage, cipher, { atOnce: AT_ONCE })
      return {
        measured: () => conclave.perSecond({ ms: ROUND_MS }),
        beside: () => other.perSecond({ ms: ROUND_MS }),
        async close() {
          await conclave.close()
          await other.close()
        }
      }
    }
  }
}
