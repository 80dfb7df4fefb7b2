/** Begins: finds out where the page is, and puts its parts together. */

import { AskPanel } from "./ask.js";
import { BrowserSource } from "./browser.js";
import { CallPanel } from "./call.js";
import { ClockPanel } from "./clock.js";
import { CodeView } from "./code_view.js";
import { ComparePanel } from "./compare.js";
import { byId } from "./dom.js";
import { ExplorePanel } from "./explore.js";
import { LiveView } from "./live.js";
import { NamesPanel } from "./names_panel.js";
import { NetworkSource } from "./network.js";
import { Page } from "./page.js";
import { SavePanel } from "./save.js";
import { WatchPanel } from "./watch.js";

/** @param {string} path */
async function json(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: HTTP status ${answer.status}`);
  return answer.json();
}

/** The token that the address gives. It is taken out of the address, which is there to be shared. */
function takeToken() {
  const found = /(?:^#|&)token=([^&]*)/.exec(location.hash);
  if (found) {
    sessionStorage.setItem("token", decodeURIComponent(found[1] ?? ""));
    history.replaceState(null, "", location.pathname + location.hash.replace(/([#&])token=[^&]*&?/, "$1"));
  }
  return sessionStorage.getItem("token");
}

async function source() {
  const { kind } = await json("source.json");
  return kind === "network" ? new NetworkSource(takeToken()) : new BrowserSource(await json("scenes.json"));
}

try {
  const page = new Page(await source());
  const compare = new ComparePanel(page, byId("compare"));
  page.views.push(
    new CodeView(page, byId("code")),
    new CallPanel(page, byId("call")),
    new ClockPanel(page, byId("clock")),
    new AskPanel(page, byId("ask")),
    new WatchPanel(page, byId("watch")),
    compare,
    new ExplorePanel(page, byId("explore")),
    new SavePanel(page, byId("save")),
  );
  if (page.source.live)
    page.views.push(new NamesPanel(page, byId("names")), new LiveView(page, page.source.live, byId("live-choice")));
  await page.open(location.hash);
} catch (error) {
  byId("sentence").textContent = `The page can't begin: ${error instanceof Error ? error.message : error}`;
}
