import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-src 'none'",
  "object-src 'none'",
].join("; ");

/** The content security policy, in what is built: Vite's own server needs more than the page does. */
function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: () => [
        { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" },
      ],
    },
  };
}

export default defineConfig(({ mode }) => ({
  base: "./",
  plugins: [svelte(), contentSecurityPolicy()],
  // Only `--mode fake` has the fake helper: elsewhere its import is dead code, and Rollup drops it.
  define: { __FAKE__: JSON.stringify(mode === "fake") },
  build: {
    target: "safari16",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { host: "127.0.0.1", fs: { allow: ["../.."] } },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
}));
