import { join } from 'node:path'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { compressedCopies } from '../compressed-copies.js'

const page = (name: string) => join(import.meta.dirname, `${name}.html`)

/** The pages lie at /graphiql and /sandbox, and what they load below /explorers. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/explorers/',
  plugins: [react(), compressedCopies()],
  worker: { format: 'es' },
  build: {
    outDir: '../../dist/explorers',
    emptyOutDir: true,
    target: 'es2024',
    // The content security policy allows no data: addresses for anything but pictures.
    assetsInlineLimit: 0,
    // The editor is one large piece, and is loaded once.
    chunkSizeWarningLimit: 8_000,
    rolldownOptions: { input: { graphiql: page('graphiql'), sandbox: page('sandbox') } }
  }
})
