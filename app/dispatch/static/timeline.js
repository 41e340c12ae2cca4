// The time slider: the past 24 hours from history, now, and the forecast's hours ahead.

import { html, nothing } from "lit";
import { formatClock, formatDayClock, t } from "/static/i18n.js";
import { ConsoleElement } from "./element.js";
import { timesOf } from "/static/forecasting/forecast.js";
import { localMidnight } from "./local-time.js";

const HOUR_MS = 3600_000;
const STEP_MS = 60_000;
const PAST_H = 24;
const BACK_H = 2; // where play begins: what led to now
const PLAY_MS = 700; // one step of play
const LABELS_H = [3, 6, 12, 24]; // hours from one label to the next: the first for which there is room
const LABEL_PX = 52;
const SPEEDS = [5, 15, 60]; // minutes that one step of play covers

class PoliceTimeline extends ConsoleElement {
  static properties = { ...ConsoleElement.properties, playing: { state: true }, speed: { state: true }, shown: { state: true } };

  constructor() {
    super();
    this.speed = SPEEDS[0];
  }

  firstUpdated() {
    this.sizes = new ResizeObserver(() => this.requestUpdate());
    this.sizes.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.sizes?.disconnect();
  }

  /** Now, floored to a minute, in ms. */
  get present() {
    return Math.floor(this.console.now() / STEP_MS) * STEP_MS;
  }

  get end() {
    const ends = Object.values(this.store.forecasts).filter(Boolean).map((forecast) => timesOf(forecast).at(-1) || 0);
    return Math.max(this.present, ...ends);
  }

  go(time) {
    const now = this.present;
    if (Math.abs(time - now) < 2 * STEP_MS) this.console.goLive();
    else this.console.goTo(new Date(Math.min(this.end, Math.max(now - PAST_H * HOUR_MS, time))));
  }

  goBack() {
    this.go(this.present - BACK_H * HOUR_MS);
  }

  step(minutes) {
    this.go((this.store.moment?.getTime() ?? this.present) + minutes * 60_000);
  }

  toggle() {
    if (this.playing) {
      this.stop();
      return;
    }
    if (!this.store.isPast) this.goBack();
    this.playing = setInterval(async () => {
      if (this.moving) return; // the last step is still loading
      const next = (this.store.moment?.getTime() ?? this.present) + this.speed * 60_000;
      if (this.store.moment === null || next > this.end) this.stop();
      else {
        this.moving = true;
        await this.console.goTo(new Date(next));
        this.moving = false;
      }
    }, PLAY_MS);
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
  }

  render() {
    if (!this.store || !this.console) return nothing;
    const now = this.present;
    const { end } = this;
    const start = now - PAST_H * HOUR_MS;
    const at = this.store.moment?.getTime() ?? now;
    const mode = this.store.moment === null ? "live" : at > now ? "forecast" : "past";
    const share = (time) => `${(((time - start) / (end - start)) * 100).toFixed(2)}%`;
    const hours = [];
    const midnight = localMidnight(start);
    const room = (this.querySelector(".ck-time-track")?.clientWidth ?? 0) / LABEL_PX; // none before it is drawn
    const stepH = LABELS_H.find((each) => (end - start) / HOUR_MS / each < room) ?? LABELS_H.at(-1);
    for (let time = midnight; time <= end; time += stepH * HOUR_MS) if (time >= start) hours.push(time);
    return html`
      <div class="ck-time-controls">
        <button type="button" class="btn btn-icon" data-testid="timeline-play" aria-label=${this.playing ? t("Pause") : t("Play from {hours} h back", { hours: BACK_H })}
          title=${this.playing ? t("Pause") : t("Play from {hours} h back", { hours: BACK_H })} @click=${() => this.toggle()}>
          <i class=${`ti ti-player-${this.playing ? "pause" : "play"}`} aria-hidden="true"></i></button>
        <button type="button" class="btn ck-time-back" data-testid="timeline-back" title=${t("{hours} h back", { hours: BACK_H })}
          aria-label=${t("{hours} h back", { hours: BACK_H })} @click=${() => { this.stop(); this.goBack(); }}>−${t("{hours} h", { hours: BACK_H })}</button>
        ${this.playing ? html`<select class="form-select ck-time-speed" aria-label=${t("Speed of play")} @change=${(event) => { this.speed = Number(event.target.value); }}>
          ${SPEEDS.map((speed) => html`<option value=${speed} ?selected=${speed === this.speed}>${t("{minutes} min a step", { minutes: speed })}</option>`)}</select>` : nothing}
      </div>
      <div class="ck-time-track">
        <div class="ck-time-ground" aria-hidden="true">
          <span class="ck-time-future" .style=${`left:${share(now)};right:0`}><em>${t("forecast")}</em></span>
          <span class="ck-time-now" .style=${`left:${share(now)}`}></span>
          ${hours.map((time) => html`<span class="ck-time-hour" .style=${`left:${share(time)}`}>${formatClock(time)}</span>`)}
        </div>
        <input type="range" data-testid="timeline-slider" min=${start} max=${end} step=${STEP_MS} .value=${String(at)}
          aria-label=${t("Moment shown")} aria-valuetext=${mode === "live" ? t("Live") : formatDayClock(at)}
          @input=${(event) => { this.stop(); this.go(Number(event.target.value)); }}>
      </div>
      <div class=${`ck-time-state ck-time-${mode}`} data-testid="timeline-state">
        ${mode === "live"
          ? html`<span class="ck-live"><span class="ck-live-dot" aria-hidden="true"></span>${t("LIVE")}</span> <b>${formatClock(now)}</b>`
          : html`<span class="ck-time-label"><i class=${`ti ti-${mode === "forecast" ? "crystal-ball" : "history"}`} aria-hidden="true"></i>
              ${mode === "forecast" ? t("FORECAST") : t("PAST")} <b>${formatDayClock(at)}</b></span>
            <button type="button" class="btn btn-primary btn-sm" data-testid="timeline-live" @click=${() => { this.stop(); this.console.goLive(); }}>
              <i class="ti ti-broadcast" aria-hidden="true"></i> ${t("LIVE")}</button>`}
      </div>`;
  }
}

customElements.define("police-timeline", PoliceTimeline);
