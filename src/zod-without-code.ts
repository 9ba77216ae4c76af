import { config } from 'zod'

// Schemas would make code from text when they are first used, which may be after the start: see lock-down.ts.
config({ jitless: true })
