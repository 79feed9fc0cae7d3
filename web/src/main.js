import { decode, ownRate } from "./audio.js";
import { Fault } from "./fault.js";
import { listen } from "./keys.js";
import { Recorder } from "./recorder.js";
import { Pool } from "./separation.js";
import { Song } from "./song.js";
import { clock } from "./text.js";

const element = (id) => document.getElementById(id);

const model = load();
const recorder = new Recorder();
let pool = null;
let song = null;
let turn = 0; // counts the songs, so that one that was given up while it was decoded is known

model.then(describe, (error) => fail(error.message));
listen(() => song);
wire();
keepForOffline();

/** The site's model: what it is, and its file. */
async function load() {
  const [about, file] = await Promise.all(["about.json", "model.tflite"].map((name) => get(`model/${name}`)));
  return { ...(await about.json()), file: await file.arrayBuffer() };
}

async function get(address) {
  const response = await fetch(address).catch(() => null);
  if (!response?.ok)
    throw new Fault("The site has no model, or its server does not answer: `tfwavesep web` makes one.");
  return response;
}

function describe({ name, description, licence, targets, bytes }) {
  element("model").textContent = `${name}: ${description} (${(bytes / 1e6).toFixed(1)} MB; ${targets.join(", ")}).`;
  element("licence").textContent = licence;
}

function wire() {
  element("pick").onclick = () => element("file").click();
  element("file").onchange = ({ target }) => {
    if (target.files.length) open(target.files[0]);
    target.value = "";
  };
  element("record").hidden = !Recorder.isSupported;
  element("record").onclick = () => record().catch((error) => fail(error.message));
  element("cancel").onclick = leave;
  element("again").onclick = leave;
  window.addEventListener("resize", () => song?.paint());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => song?.paint());
  // a fault is told until the next click, whose own may follow
  document.addEventListener("click", () => tell(""), true);
  // what nobody awaits, such as a click's work, fails here
  window.addEventListener("unhandledrejection", ({ reason }) => tell(line(reason)));
  window.addEventListener("error", ({ error, message }) => tell(line(error ?? { message })));
  drop();
}

/** Files can be dropped anywhere on the page. */
function drop() {
  const hover = (over) => document.body.classList.toggle("hover", over);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    hover(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? hover(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    hover(false);
    const [file] = event.dataTransfer.files;
    if (file) open(file);
  });
}

async function record() {
  const button = element("record");
  if (button.dataset.state === "recording") {
    button.dataset.state = "";
    button.textContent = "Record";
    open(await recorder.stop());
    return;
  }
  await recorder.start();
  button.dataset.state = "recording";
  button.textContent = "Stop and separate";
}

/** Decode a file, show it, and separate it. */
async function open(file) {
  leave();
  const mine = ++turn;
  show("decoding");
  announce(`Decoding ${file.name}`);
  try {
    const about = await model;
    const [mixture, rate] = await Promise.all([decode(file, about.sampleRate), ownRate(file)]);
    if (mine !== turn) return;
    pool ??= new Pool(about);
    song = new Song(file.name, mixture, about, announce);
    element("facts").textContent = facts(mixture, about, rate);
    show("song");
    song.paint();
    await song.separate(pool);
  } catch (error) {
    if (mine === turn) fail(line(error));
  }
}

function facts(mixture, { sampleRate }, rate) {
  const channels = { 1: "mono", 2: "stereo" }[mixture.length] ?? `${mixture.length} channels`;
  const from = rate && rate !== sampleRate ? `, from ${rate / 1000} kHz by your browser` : "";
  return `${clock(mixture[0].length / sampleRate)}, ${channels}, ${sampleRate / 1000} kHz${from}`;
}

/** Back to the start, with nothing left of the song. */
function leave() {
  turn++;
  pool?.cancel();
  song?.close();
  song = null;
  tell("");
  show("start");
}

function fail(reason) {
  leave();
  tell(reason);
}

function show(state) {
  document.body.dataset.state = state;
}

/** What people are told of an error. */
function line(error) {
  return error instanceof Fault ? error.message : `Something went wrong: ${error.message}`;
}

function tell(fault) {
  element("fault").textContent = fault;
}

function announce(text) {
  element("status").textContent = text;
}

/** Keep the site for visits without a network; one that was kept before gives way to a newer one. */
async function keepForOffline() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const isNew = !serviceWorker.controller;
  serviceWorker.addEventListener("controllerchange", () => {
    if (!isNew && document.body.dataset.state === "start") location.reload();
  });
  const registration = await serviceWorker.register("offline.js").catch(() => null);
  const kept = registration && (await keeps(registration));
  element("offline").textContent = kept
    ? "Works without a network from now on."
    : "Cannot be kept for use without a network: the browser has no room for it, or does not allow it.";
}

/** Whether a version of the site is kept, once it has been tried. */
async function keeps(registration) {
  const worker = registration.active ?? registration.installing ?? registration.waiting;
  if (worker.state === "activated") return true;
  return new Promise((resolve) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve(true);
      if (worker.state === "redundant") resolve(Boolean(registration.active));
    });
  });
}
