// As for a page; only what is built is a program for Node (`ssr`), with all in it but the document that it draws in.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react({ babel: { plugins: ['relay'] } })],
  ssr: { noExternal: true, external: ['jsdom'] },
  build: { ssr: 'src/main.tsx', outDir: 'build', target: 'node20' },
});
