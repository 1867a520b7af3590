import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

// pywebview's bridge makes its functions by `eval`; a plain browser needs none.
const policy = (script: string): string =>
  [
    "default-src 'none'",
    `script-src 'self'${script}`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-src 'none'",
    "object-src 'none'",
  ].join("; ");

/** The content security policy, in what is built: Vite's own server needs more than the page does. */
function contentSecurityPolicy(fake: boolean): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: () => [
        {
          tag: "meta",
          attrs: { "http-equiv": "Content-Security-Policy", content: policy(fake ? "" : " 'unsafe-eval'") },
          injectTo: "head-prepend",
        },
      ],
    },
  };
}

export default defineConfig(({ mode }) => ({
  base: "./",
  plugins: [svelte(), contentSecurityPolicy(mode === "fake")],
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
