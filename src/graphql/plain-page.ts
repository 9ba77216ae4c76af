import type { FastifyReply } from 'fastify'
import { digestSource, pagePolicy } from './http-hardening.js'

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center }
main { max-width: 34rem; padding: 1.5rem }
h1 { font-size: 1.5rem }
label { display: block }
input, button { font: inherit; padding: .5rem .75rem; border: 1px solid GrayText; border-radius: .4rem }
input { box-sizing: border-box; width: 100%; margin: .25rem 0 .75rem }
[role=alert] { padding: .5rem .75rem; border-left: .25rem solid #c62828 }
code { overflow-wrap: anywhere }
`

/** Of a page without scripts and pictures. Its one style is named by its digest. */
const POLICY = pagePolicy({ scriptSrc: ["'none'"], styleSrc: [digestSource(STYLE)] })

/** Sends a page of text, and maybe a form. @param body in HTML; what is not known to be harmless goes through {@link escapeHtml} */
export function sendPlainPage(
  reply: FastifyReply,
  { status = 200, title, body }: { status?: number; title: string; body: string }
): FastifyReply {
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .header('content-security-policy', POLICY)
    .send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`)
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** A text as it can stand in HTML, in an attribute with quotation marks as well. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}
