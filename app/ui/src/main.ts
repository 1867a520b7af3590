import "./style.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { connect } from "./bridge.ts";
import { app, PAGES, type Page } from "./lib/app.svelte.ts";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no #app");
const asked = location.hash.slice(1) as Page;
if (PAGES.includes(asked)) app.page = asked;
mount(App, { target });

// The fake helper is in builds of `--mode fake` alone.
const api = __FAKE__ && !window.pywebview ? import("./fake/index.ts").then((fake) => fake.start()) : connect();
void api.then((found) => app.start(found));
