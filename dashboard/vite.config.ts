/** How the web app is built: one script, one style, an icon, each with a hash in its name. `npm run dev -w dashboard` serves it while it is worked on, beside a control process that runs. */
import { defineConfig } from 'vite'

const api = process.env.HOLDFAST_URL ?? 'http://127.0.0.1:3006'

export default defineConfig({
  root: import.meta.dirname,
  base: '/dashboard/',
  publicDir: false,
  build: {
    outDir: '../dist/dashboard',
    emptyOutDir: true,
    assetsDir: '',
    target: 'es2023',
    // An inline asset would need a hole in the policy of the page.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': api, '/metrics': api } },
})
