import { Fault } from "./fault.js";

/** Records from the microphone, as it sounds: nothing that is made for speech is done to it. */
export class Recorder {
  static get isSupported() {
    return Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
  }

  /** @throws {Fault} there is no microphone, or this page may not use it. */
  async start() {
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
    } catch (error) {
      throw new Fault(`The microphone cannot be used: ${error.message}.`);
    }
    this.parts = [];
    this.recorder = new MediaRecorder(this.stream);
    this.recorder.ondataavailable = ({ data }) => this.parts.push(data);
    this.recorder.start();
  }

  /** @returns {Promise<File>} what was recorded. */
  async stop() {
    await new Promise((resolve) => {
      this.recorder.onstop = resolve;
      this.recorder.stop();
    });
    for (const track of this.stream.getTracks()) track.stop();
    return new File(this.parts, "recording.webm", { type: this.recorder.mimeType });
  }
}
