import { NoSchemaIntrospectionCustomRule, type ParseOptions, type ValidationRule } from 'graphql'
import type { Settings } from '../services.js'

/** Of one document, in development: whoever has made more mistakes sees these first. */
const MAX_ERRORS = 20

/** Rules beyond those of the specification, the same over every transport. */
export function extraRules(config: IntrospectionSettings): ValidationRule[] {
  return hasIntrospection(config) ? [] : [NoSchemaIntrospectionCustomRule]
}

type IntrospectionSettings = Pick<Settings, 'mode' | 'introspection'>

/** Whether the schema can be asked for; in production only where that was configured. */
export function hasIntrospection({ mode, introspection }: IntrospectionSettings): boolean {
  return introspection ?? mode !== 'production'
}

/** Production says what is wrong first, and shows nothing of the schema that a client does not know already. */
export function validationOptions({ mode }: Pick<Settings, 'mode'>) {
  return mode === 'production' ? { maxErrors: 1, hideSuggestions: true } : { maxErrors: MAX_ERRORS }
}

/**
 * In production errors of validation do not say where in the document they are: to find the line, each goes through the
 * text from its beginning, and a hostile one has many lines.
 */
export function parseOptions({ mode, queryLimits }: Pick<Settings, 'mode' | 'queryLimits'>): ParseOptions {
  return { maxTokens: queryLimits.tokens, noLocation: mode === 'production' }
}
