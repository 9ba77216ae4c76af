import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { compressedCopies } from './compressed-copies.js'

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), compressedCopies()],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    // A test holds the compressed size of all of it to a limit.
    chunkSizeWarningLimit: 1_000,
    target: 'es2024',
    // The content security policy allows no data: addresses for anything but pictures.
    assetsInlineLimit: 0
  }
})
