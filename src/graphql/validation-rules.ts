import { NoSchemaIntrospectionCustomRule, type ValidationRule } from 'graphql'
import type { Settings } from '../services.js'

/** Rules beyond those of the specification, the same over every transport. */
export function extraRules({ mode }: Pick<Settings, 'mode'>): ValidationRule[] {
  return mode === 'production' ? [NoSchemaIntrospectionCustomRule] : []
}
